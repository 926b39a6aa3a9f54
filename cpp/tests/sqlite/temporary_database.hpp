// A database file that goes with the test.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <headrace/sqlite/database.hpp>
#include <string>

namespace headrace::sqlite {

class temporary_database {
public:
    explicit temporary_database(const std::string& sql) {
        std::string pattern = (std::filesystem::temp_directory_path() / "headrace-sqlite-XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
        run(sql);
    }
    ~temporary_database() { std::filesystem::remove_all(folder_); }
    temporary_database(const temporary_database&) = delete;
    temporary_database& operator=(const temporary_database&) = delete;

    std::string path() const { return folder_ + "/test.db"; }

    void run(const std::string& sql) const {
        database db;
        const auto bad = database::open(path(), {access::create}, db);
        ASSERT_FALSE(bad) << bad.message;
        const auto failed = db.execute(sql);
        ASSERT_FALSE(failed) << failed.message;
    }

private:
    std::string folder_;
};

}  // namespace headrace::sqlite
