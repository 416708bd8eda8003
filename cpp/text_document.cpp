#include "text_document.hpp"

namespace ramify {

namespace {

template <class Unit>
void map_units(const void* data, int64_t length, const uint32_t* table, uint32_t* out) {
    const Unit* units = static_cast<const Unit*>(data);
    for (int64_t i = 0; i < length; ++i) out[i] = table[units[i]];
}

}  // namespace

void DecodedText::decode(const TextView& text, const uint32_t* table, Spaces spaces) {
    if (text.length + 2 > capacity_) {
        capacity_ = text.length + text.length / 2 + 256;
        entries_.reset(new uint32_t[capacity_]);  // not zeroed: every entry is written before it is read
    }
    length_ = text.length;
    uint32_t* out = entries_.get() + 1;
    if (text.width == 1) map_units<uint8_t>(text.data, length_, table, out);
    if (text.width == 2) map_units<uint16_t>(text.data, length_, table, out);
    if (text.width == 4) map_units<uint32_t>(text.data, length_, table, out);
    if (spaces == Spaces::blank)
        for (int64_t i = 0; i < length_; ++i) out[i] = (out[i] & kSpace) ? kBlank : out[i];
    if (spaces == Spaces::collapse) collapse_spaces();
    entries_[0] = entries_[length_ + 1] = kBlank;
}

void DecodedText::collapse_spaces() {
    uint32_t* entries = entries_.get() + 1;
    int64_t written = 0;
    for (int64_t i = 0; i < length_; ++written) {
        int64_t end = i;
        while (end < length_ && (entries[end] & kSpace)) ++end;
        entries[written] = end - i >= 2 ? kBlank : entries[i];
        i = end - i >= 2 ? end : i + 1;
    }
    length_ = written;
}

}  // namespace ramify
