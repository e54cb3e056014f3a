# page_files.cmake: writes OUTPUT, which holds STYLE and SCRIPT as the constants of page_files.h.
file(READ ${STYLE} style)
file(READ ${SCRIPT} script)
foreach(text style script)
  if(${text} MATCHES "\\)axle_page\"|</script|</style")
    message(FATAL_ERROR "the page's ${text} holds what would end it")
  endif()
endforeach()
file(WRITE ${OUTPUT} "#include \"explain/page_files.h\"

namespace axle::html {

const std::string_view kPageStyle = R\"axle_page(${style})axle_page\";
const std::string_view kPageScript = R\"axle_page(${script})axle_page\";

}  // namespace axle::html
")
