// AXLE_API marks what libaxle exports; everything else is hidden.
#pragma once

#define AXLE_API __attribute__((visibility("default")))
