// One text, as Python stores it (1, 2 or 4 bytes per code point: no UTF-8 in between, lone surrogates are ordinary),
// mapped code point by code point through a table made by the running Python: lower case and character class in one
// look-up, so that words are exactly those of its `re` and `str.lower()`.
#pragma once
#include <cstdint>
#include <memory>

namespace ramify {

struct TextView {
    const void* data = nullptr;
    int64_t length = 0;  // code points
    int32_t width = 1;   // bytes per code point
};

// A table entry: the (lowered) code point and the class of that code point. A table has 128 entries where every text
// is ASCII, else 0x110000.
constexpr uint32_t kCodePoint = 0x1FFFFF;
constexpr uint32_t kWord = 1u << 21;   // \w
constexpr uint32_t kSpace = 1u << 22;  // \s
constexpr uint32_t kRun = 1u << 23;    // in a run of a script without blanks between words; excludes kWord
constexpr uint32_t kBlank = kSpace | 0x20;

// Positions are 32 bits wide, and a text has at most 32 n-grams per code point.
constexpr int64_t kMaxTextLength = int64_t(1) << 27;

// White space: unchanged; each character replaced by a blank; or runs of two and more replaced by one blank.
enum class Spaces { keep, blank, collapse };

// Table entries 1 .. length(), with a blank before and behind, so that scans need no bounds and n-grams have margins.
class DecodedText {
public:
    void decode(const TextView& text, const uint32_t* table, Spaces spaces);
    const uint32_t* entries() const { return entries_.get(); }
    int64_t length() const { return length_; }

private:
    void collapse_spaces();

    std::unique_ptr<uint32_t[]> entries_;
    int64_t capacity_ = 0;
    int64_t length_ = 0;
};

}  // namespace ramify
