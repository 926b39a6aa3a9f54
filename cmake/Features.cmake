# What the core always needs, and the switches for what it may do without.
#
# Each optional feature is HEADRACE_WITH_<NAME> = AUTO (use it when found, and say so), ON (missing is an error) or OFF.
# HEADRACE_WITH_ALL turns every AUTO into ON: CI and releases use it. Python asks with headrace.has("<name>").
option(HEADRACE_WITH_ALL "A missing optional feature is an error" OFF)

# Everything that is missing is collected and named at once, with the one command that installs it.
set(HEADRACE_MISSING "")
set(HEADRACE_MISSING_APT "")
macro(headrace_missing what apt)
  string(APPEND HEADRACE_MISSING "  ${what}\n")
  string(APPEND HEADRACE_MISSING_APT " ${apt}")
endmacro()

# headrace_require(<pkg-config spec> <target prefix> <Debian package>)
macro(headrace_require spec prefix apt)
  if(PkgConfig_FOUND)
    pkg_check_modules(${prefix} QUIET IMPORTED_TARGET GLOBAL ${spec})
  endif()
  if(NOT ${prefix}_FOUND)
    headrace_missing("${spec}" ${apt})
  endif()
endmacro()

# headrace_feature(<NAME> PC <pkg-config spec> APT <Debian package>): sets HEADRACE_HAS_<NAME>, and tells Python.
function(headrace_feature name)
  cmake_parse_arguments(F "" "PC;APT" "" ${ARGN})
  set(HEADRACE_WITH_${name} AUTO CACHE STRING "AUTO, ON (missing is an error) or OFF")
  set_property(CACHE HEADRACE_WITH_${name} PROPERTY STRINGS AUTO ON OFF)
  string(TOUPPER "${HEADRACE_WITH_${name}}" wanted)
  set(switch "HEADRACE_WITH_${name}")
  if(wanted STREQUAL "AUTO" AND HEADRACE_WITH_ALL)
    set(wanted ON)
    set(switch "HEADRACE_WITH_ALL")
  endif()
  set(found OFF)
  set(detail "switched off")
  if(wanted)  # AUTO is true in CMake
    pkg_check_modules(${name} QUIET IMPORTED_TARGET GLOBAL ${F_PC})
    set(detail "${F_PC} was not found; apt install ${F_APT}")
    if(${name}_FOUND)
      set(found ON)
      set(detail "${F_PC}, found ${${name}_VERSION}")
    elseif(NOT wanted STREQUAL "AUTO")
      message(FATAL_ERROR "${switch}=ON, but the feature ${name} needs ${F_PC}, which was not found.\n"
                          "  Debian and Ubuntu: apt install ${F_APT}\n")
    endif()
  endif()
  set(HEADRACE_HAS_${name} ${found} PARENT_SCOPE)
  message(STATUS "feature ${name}: ${found} (${detail})")
  headrace_register_feature(${name} ${found} "${F_PC}" "${F_APT}")
endfunction()

# headrace_register_feature(<NAME> <ON|OFF> <library> <Debian package>): a line of what headrace.build_config() lists.
function(headrace_register_feature name found library apt)
  string(TOLOWER "${name}" lower)
  string(REPLACE "OFF" "false" built "${found}")
  string(REPLACE "ON" "true" built "${built}")
  set_property(GLOBAL APPEND_STRING PROPERTY HEADRACE_FEATURES
    "    {\"${lower}\", ${built}, \"${library}\", \"${apt}\", \"HEADRACE_WITH_${name}\"},\n")
endfunction()

find_package(PkgConfig QUIET)
find_package(Threads REQUIRED)
find_package(OpenSSL QUIET)
if(NOT PkgConfig_FOUND)
  headrace_missing("pkg-config" pkg-config)
endif()
if(NOT OPENSSL_FOUND)
  headrace_missing("OpenSSL" libssl-dev)
endif()
headrace_require("hiredis>=0.14" hiredis libhiredis-dev)
headrace_require("libxxhash>=0.8" xxhash libxxhash-dev)

# Asio is used as headers; any Boost from 1.81 on will do, wherever CMake or the compiler finds it.
find_path(HEADRACE_BOOST_INCLUDE boost/asio.hpp)
set(_boost_version 0)
if(HEADRACE_BOOST_INCLUDE)
  file(STRINGS "${HEADRACE_BOOST_INCLUDE}/boost/version.hpp" _boost_line REGEX "^#define BOOST_VERSION ")
  string(REGEX REPLACE "^#define BOOST_VERSION ([0-9]+).*" "\\1" _boost_version "${_boost_line}")
endif()
math(EXPR _boost_major "${_boost_version} / 100000")
math(EXPR _boost_minor "${_boost_version} / 100 % 1000")
set(HEADRACE_BOOST_VERSION "${_boost_major}.${_boost_minor}")
if(_boost_version LESS 108100)
  headrace_missing("Boost >= 1.81 (found: ${HEADRACE_BOOST_VERSION}; Ubuntu calls the package libboost-dev)" libboost1.81-dev)
endif()
add_library(headrace_boost INTERFACE)
target_include_directories(headrace_boost SYSTEM INTERFACE "${HEADRACE_BOOST_INCLUDE}")

if(HEADRACE_MISSING)
  message(FATAL_ERROR "headrace needs these, which were not found:\n${HEADRACE_MISSING}"
                      "  Debian and Ubuntu: apt install${HEADRACE_MISSING_APT}\n")
endif()

headrace_feature(SQLITE PC sqlite3>=3.35 APT libsqlite3-dev)
foreach(name IN ITEMS INPROC REDIS TLS)  # in every build
  headrace_register_feature(${name} ON "" "")
endforeach()
