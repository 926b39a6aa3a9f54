// Boost.JSON, compiled once: the packages that carry its headers need not carry its library.
#include <boost/json/src.hpp>
