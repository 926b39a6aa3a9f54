# What the core always needs, and the switches for what it may do without.
#
# Each optional feature is HEADRACE_WITH_<NAME> = AUTO (use it when found, and say so), ON (missing is an error: CI
# and releases) or OFF. Python asks with headrace.has("<name>").
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL QUIET)

# headrace_require(<pkg-config spec> <target prefix> <Debian package>)
function(headrace_require spec prefix apt)
  pkg_check_modules(${prefix} QUIET IMPORTED_TARGET GLOBAL ${spec})
  if(NOT ${prefix}_FOUND)
    message(FATAL_ERROR "headrace needs ${spec}, which was not found. Debian and Ubuntu: apt install ${apt} "
                        "(script/bootstrap installs all of them)")
  endif()
endfunction()

if(NOT OPENSSL_FOUND)
  message(FATAL_ERROR "headrace needs OpenSSL, which was not found. Debian and Ubuntu: apt install libssl-dev")
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
if(_boost_version LESS 108100)
  message(FATAL_ERROR "headrace needs Boost >= 1.81 (found: ${_boost_version}). Debian 12: apt install libboost1.81-dev; "
                      "Ubuntu 24.04: apt install libboost-dev")
endif()
math(EXPR _boost_major "${_boost_version} / 100000")
math(EXPR _boost_minor "${_boost_version} / 100 % 1000")
set(HEADRACE_BOOST_VERSION "${_boost_major}.${_boost_minor}")
add_library(headrace_boost INTERFACE)
target_include_directories(headrace_boost SYSTEM INTERFACE "${HEADRACE_BOOST_INCLUDE}")

# headrace_feature(NAME PC <pkg-config spec> APT <Debian package>): sets HEADRACE_HAS_<NAME>.
function(headrace_feature name)
  cmake_parse_arguments(F "" "PC;APT" "" ${ARGN})
  set(HEADRACE_WITH_${name} AUTO CACHE STRING "AUTO, ON (missing is an error) or OFF")
  set(found OFF)
  if(HEADRACE_WITH_${name})
    pkg_check_modules(${name} QUIET IMPORTED_TARGET GLOBAL ${F_PC})
    if(${name}_FOUND)
      set(found ON)
    elseif(NOT HEADRACE_WITH_${name} STREQUAL "AUTO")
      message(FATAL_ERROR "HEADRACE_WITH_${name}=ON but ${F_PC} is missing (Debian: apt install ${F_APT})")
    endif()
  endif()
  set(HEADRACE_HAS_${name} ${found} PARENT_SCOPE)
  message(STATUS "feature ${name}: ${found} [${F_PC} ${${name}_VERSION}]")
endfunction()
