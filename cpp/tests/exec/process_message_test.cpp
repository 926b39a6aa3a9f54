#include <headrace/exec/process_message.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace headrace::exec {
namespace {

using result = frame_reader::result;

void feed(frame_reader& reader, std::string_view bytes) {
    while (!bytes.empty()) {
        std::size_t room = 0;
        char* const at = reader.prepare(room);
        const std::size_t n = std::min(room, bytes.size());
        std::memcpy(at, bytes.data(), n);
        reader.commit(n);
        bytes.remove_prefix(n);
    }
}

std::string call_frame(std::uint64_t id, std::string bytes) {
    std::string out;
    append_frame(out, {.kind = frame_kind::call, .epoch = 3, .id = id, .function = 9}, {std::move(bytes), nullptr, {}});
    return out;
}

TEST(FrameReader, GivesFramesBackHoweverTheyAreCut) {
    const std::string all = call_frame(1, "one") + call_frame(2, "") + call_frame(3, std::string(1000, 'x'));
    for (std::size_t piece = 1; piece <= all.size(); piece += piece < 64 ? 1 : 97) {
        frame_reader reader;
        std::vector<std::pair<std::uint64_t, std::size_t>> seen;
        for (std::size_t at = 0; at < all.size(); at += piece) {
            feed(reader, std::string_view(all).substr(at, piece));
            frame_header header;
            std::string_view bytes;
            while (reader.next(header, bytes) == result::frame) {
                EXPECT_EQ(header.epoch, 3U);
                EXPECT_EQ(header.function, 9U);
                seen.emplace_back(header.id, bytes.size());
            }
        }
        EXPECT_EQ(seen, (std::vector<std::pair<std::uint64_t, std::size_t>>{{1, 3}, {2, 0}, {3, 1000}})) << piece;
    }
}

TEST(FrameReader, AFrameLargerThanTheBufferArrivesWhole) {
    const std::string bytes(1'000'000, 'y');
    frame_reader reader;
    feed(reader, call_frame(1, bytes) + call_frame(2, "after"));
    frame_header header;
    std::string_view got;
    ASSERT_EQ(reader.next(header, got), result::frame);
    EXPECT_EQ(got, bytes);
    ASSERT_EQ(reader.next(header, got), result::frame);
    EXPECT_EQ(got, "after");
}

TEST(FrameReader, GarbageIsToldByItsFirstByteAndStaysBroken) {
    frame_reader reader;
    feed(reader, "p");
    frame_header header;
    std::string_view bytes;
    EXPECT_EQ(reader.next(header, bytes), result::broken);
    feed(reader, call_frame(1, "fine"));
    EXPECT_EQ(reader.next(header, bytes), result::broken) << "there is no way back on a stream";
}

TEST(FrameReader, AnUnknownKindIsBroken) {
    std::string frame;
    append_frame(frame, {.kind = static_cast<frame_kind>(77)}, {});
    frame_reader reader;
    feed(reader, frame);
    frame_header header;
    std::string_view bytes;
    EXPECT_EQ(reader.next(header, bytes), result::broken);
}

TEST(SlabPlace, SaysWhereTheBodyLies) {
    message_body body;
    body.slab = shared_slab::make(1 << 20);
    ASSERT_TRUE(body.slab);
    body.parts = {100, 0, 200'000};
    std::string out;
    append_frame(out, {.kind = frame_kind::value, .id = 5}, body);
    frame_reader reader;
    feed(reader, out);
    frame_header header;
    std::string_view bytes;
    ASSERT_EQ(reader.next(header, bytes), result::frame);
    EXPECT_EQ(header.in_slab, 1);
    slab_place place;
    ASSERT_TRUE(read_place(bytes, place));
    EXPECT_EQ(place.id, body.slab->id());
    EXPECT_EQ(place.parts, body.parts);
}

TEST(BorrowedAnswer, LiesInTheSlabOfItsRequest) {
    const auto slab = shared_slab::make(1 << 20), other = shared_slab::make(1 << 20);
    message_body answer;
    answer.slab = slab;
    answer.borrowed = true;
    answer.borrowed_offset = 128;
    answer.parts = {1000};
    answer.bytes = "pickle";
    std::string out;
    append_frame(out, {.kind = frame_kind::value, .id = 5}, answer);
    frame_reader reader;
    feed(reader, out);
    frame_header header;
    std::string_view bytes;
    ASSERT_EQ(reader.next(header, bytes), result::frame);
    EXPECT_EQ(header.in_slab, frame_header::borrowed);
    message_body got;
    ASSERT_TRUE(read_borrowed(bytes, got));
    EXPECT_EQ(got.bytes, "pickle");
    EXPECT_FALSE(claim_borrowed(got, other)) << "of another request";
    EXPECT_FALSE(claim_borrowed(got, nullptr)) << "the request had none";
    EXPECT_TRUE(claim_borrowed(got, slab));
    EXPECT_EQ(got.slab, slab);
    got.slab = nullptr;
    got.parts = {slab->capacity()};
    EXPECT_FALSE(claim_borrowed(got, slab)) << "beyond its end";
    EXPECT_FALSE(read_borrowed(bytes.substr(0, 24), got)) << "no pickle";
}

TEST(SharedSlab, WhatWasLentIsInUseUntilItIsTakenBack) {
    const auto slab = shared_slab::make(1000);
    slab->take();
    slab->fill_all();
    slab->lend();
    slab->give_back();
    EXPECT_TRUE(slab->busy());
    slab->take_back();
    EXPECT_FALSE(slab->busy());
}

TEST(SlabPlace, PartsThatDoNotFitAreRefused) {
    slab_place place;
    std::uint64_t words[] = {1, 4096 + 128, 4000, 200};
    EXPECT_FALSE(read_place({reinterpret_cast<char*>(words), sizeof words}, place)) << "4000 takes 4096";
    words[3] = 128;
    EXPECT_TRUE(read_place({reinterpret_cast<char*>(words), sizeof words}, place));
    EXPECT_FALSE(read_place({reinterpret_cast<char*>(words), sizeof words - 1}, place));
    EXPECT_FALSE(read_place({reinterpret_cast<char*>(words), 16}, place)) << "no part at all";
    words[2] = UINT64_MAX;
    EXPECT_FALSE(read_place({reinterpret_cast<char*>(words), sizeof words}, place));
}

}  // namespace
}  // namespace headrace::exec
