#include "worker/stock/stock.hpp"

namespace warmpool::worker::stock {
namespace {

constexpr Type kTypes[] = {
    {"echo", echo, "the payload back"},
    {"sleep", sleep, "payload: milliseconds; heeds cancel"},
    {"fail", fail, "payload: N or {\"times\":N}; fails N times, then is done"},
    {"crash", crash, "payload: a signal (SIGSEGV, 11) or exit:N; ends the worker"},
    {"alloc", alloc,
     "payload: MiB [ms], or keep:MiB; takes memory, holds it, gives it back unless told to keep "
     "it"},
    {"file.digest", file_digest, "payload: a path; bytes, lines, words and SHA-256 as JSON"},
    {"exec", exec, "payload: {\"argv\":[...]}; runs a program, its status and output as JSON"},
};

}  // namespace

std::span<const Type> types() { return kTypes; }

}  // namespace warmpool::worker::stock
