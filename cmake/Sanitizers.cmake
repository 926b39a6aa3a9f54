# HEADRACE_SANITIZE: "" | "address,undefined" | "thread" | "fuzzer,address,undefined"
set(HEADRACE_SANITIZE "" CACHE STRING "Value for -fsanitize=, empty for none")
add_library(headrace_sanitizers INTERFACE)
if(HEADRACE_SANITIZE)
  string(REPLACE "fuzzer" "fuzzer-no-link" _sanitize "${HEADRACE_SANITIZE}")
  target_compile_options(headrace_sanitizers INTERFACE -fsanitize=${_sanitize} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  target_link_options(headrace_sanitizers INTERFACE -fsanitize=${_sanitize})
endif()
