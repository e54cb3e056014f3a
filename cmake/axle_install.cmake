# Installation rules: filled by the targets that are installed (libaxle, plugins, command line, CMake package, pkg-config).
