// The style and the script of the page: page/page.css and page/page.js, embedded when the module is built.
#pragma once

#include <string_view>

namespace axle::html {

extern const std::string_view kPageStyle;
extern const std::string_view kPageScript;

}  // namespace axle::html
