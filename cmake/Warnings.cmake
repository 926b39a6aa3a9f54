# Warnings are errors in our own code for developers and CI (HEADRACE_WERROR), never for someone's pip install.
option(HEADRACE_WERROR "Treat warnings as errors" OFF)
# Settings are aggregates with defaults (designated initialisers name only what differs): no missing-field warning.
add_library(headrace_warnings INTERFACE)
target_compile_options(headrace_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast
  -Wno-missing-field-initializers)
if(HEADRACE_WERROR)
  target_compile_options(headrace_warnings INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 reports overlapping copies in std::string that cannot happen (GCC bug 105329).
  target_compile_options(headrace_warnings INTERFACE -Wno-restrict)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # Lock annotations (headrace/base/mutex.hpp) are checked by clang only.
  target_compile_options(headrace_warnings INTERFACE -Wthread-safety)
endif()
