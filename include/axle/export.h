// AXLE_API marks what libaxle exports; everything else is hidden.
#pragma once

#define AXLE_API [[gnu::visibility("default")]]
