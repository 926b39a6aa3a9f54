#include <gtest/gtest.h>

#include <functional>
#include <headrace/load/http_options.hpp>

namespace headrace::load {
namespace {

using namespace std::chrono_literals;

http_load_options good() {
    http_load_options o;
    o.requests.push_back({"http://127.0.0.1/"});
    return o;
}

std::string refusal(const std::function<void(http_load_options&)>& change) {
    auto o = good();
    change(o);
    return check_options(o).message;
}

TEST(http_options, defaults_are_good) {
    EXPECT_FALSE(check_options(good()));
}

TEST(http_options, each_bound_is_checked_and_named) {
    EXPECT_NE(refusal([](auto& o) { o.requests.clear(); }).find("no URL"), std::string::npos);
    EXPECT_NE(refusal([](auto& o) { o.threads = 0; }).find("threads"), std::string::npos);
    EXPECT_NE(refusal([](auto& o) { o.threads = 26; }).find("one user"), std::string::npos);
    EXPECT_NE(refusal([](auto& o) { o.users = 0; }).find("users"), std::string::npos);
    EXPECT_NE(refusal([](auto& o) { o.users = 2'000'000; }).find("users"), std::string::npos);
    EXPECT_NE(refusal([](auto& o) { o.rate = -1; }).find("rate"), std::string::npos);
    EXPECT_NE(refusal([](auto& o) { o.timeout = 0s; }).find("timeout"), std::string::npos);
    EXPECT_NE(refusal([](auto& o) { o.drain = -1s; }).find("drain"), std::string::npos);
    EXPECT_NE(refusal([](auto& o) { o.think_least = 2s; }).find("think"), std::string::npos);
    EXPECT_NE(refusal([](auto& o) { o.rate = 5, o.think_most = 1s; }).find("think"), std::string::npos);
    EXPECT_NE(refusal([](auto& o) { o.expect_status = {{300, 200}}; }).find("status"), std::string::npos);
}

}  // namespace
}  // namespace headrace::load
