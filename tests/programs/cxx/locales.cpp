// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// locales ROUNDS: the classic locale's facets, and facets of the program's own, which the library's functions call.
#include "moments.h"
#include <ctime>
#include <iomanip>
#include <iostream>
#include <locale>
#include <sstream>
#include <string>

static bool says = true;  // in the first round
template <class Text> static void note(const char *what, const Text &text) {
  if (says) std::cout << what << ": " << text << '\n';
}

struct Grouped : std::numpunct<char> {
  char do_thousands_sep() const override { return '\''; }
  char do_decimal_point() const override { return ','; }
  std::string do_grouping() const override {
    moment("grouping");
    return "\3\2";
  }
  std::string do_truename() const override {
    moment("true");
    return "yes";
  }
};

struct Upper : std::ctype<char> {
  char do_toupper(char c) const override { return c == 'x' ? '*' : std::ctype<char>::do_toupper(c); }
};

struct Throwing : std::num_put<char> {
  iter_type do_put(iter_type out, std::ios_base &, char, long value) const override {
    moment("facet throws");
    if (value < 0) throw value;
    for (long i = 0; i < value; ++i) *out++ = '|';
    return out;
  }
};

struct Own : std::locale::facet {
  static std::locale::id id;
  int value;
  explicit Own(int value) : value(value) {}
  ~Own() override { moment("facet's end"); note("facet's end", value); }
};
std::locale::id Own::id;

static void classic(long round) {
  const std::locale &c = std::locale::classic();
  const auto &punctuation = std::use_facet<std::numpunct<char>>(c);
  note("point", punctuation.decimal_point());
  note("true", punctuation.truename());
  note("grouping", punctuation.grouping().size());
  const auto &kinds = std::use_facet<std::ctype<char>>(c);
  std::string text = "Some words, 12";
  text += std::to_string(round);
  kinds.toupper(text.data(), text.data() + text.size());
  note("upper", text);
  note("digit", kinds.scan_is(std::ctype_base::digit, text.data(), text.data() + text.size()) - text.data());
  note("alpha", std::isalpha('k', c) + 2 * std::isspace('k', c));
  const auto &order = std::use_facet<std::collate<char>>(c);
  const char one[] = "abc", other[] = "abd";
  note("order", order.compare(one, one + 3, other, other + 3));
  note("hash", order.hash(one, one + 3) == order.hash(other, other + 3));
  std::tm when{};
  when.tm_year = 126, when.tm_mon = 10, when.tm_mday = 30, when.tm_wday = 1, when.tm_hour = 18;
  std::ostringstream out;
  out << std::put_time(&when, "%A %d %B %Y %H:%M");
  note("time", out.str());
  std::tm read{};
  std::istringstream("2026-11-30") >> std::get_time(&read, "%Y-%m-%d");
  note("read", read.tm_year * 10000 + read.tm_mon * 100 + read.tm_mday);
  std::wostringstream wide;
  wide << std::setw(12) << std::setfill(L'.') << std::hex << 48879 << std::scientific << 1.5;
  std::wstring written = wide.str();
  note("wide", std::string(written.begin(), written.end()));
  note("no conversion", std::use_facet<std::codecvt<char, char, std::mbstate_t>>(c).always_noconv());
}

static void own(long round) {
  std::ostringstream out;
  out.imbue(std::locale(std::locale::classic(), new Grouped));
  out << 1234567 + round << ' ' << 98765.25 << ' ' << std::boolalpha << true;
  note("grouped", out.str());
  note("upper", std::use_facet<std::ctype<char>>(std::locale(std::locale::classic(), new Upper)).toupper('x'));
  std::istringstream in("1'23'456 rest");
  in.imbue(out.getloc());
  long value = 0;
  in >> value;
  note("read", value);
}

static void thrown(long round) {
  std::ostringstream out;
  out.imbue(std::locale(std::locale::classic(), new Throwing));
  out << 3L;
  note("strokes", out.str());
  out.exceptions(std::ios::badbit);
  try {
    out << -round - 1;
  } catch (long value) {
    note("out of the stream", value);
  }
  out.exceptions(std::ios::goodbit);
  out.clear();
  out << -1L;  // the stream catches it, and is bad
  note("bad", out.bad());
  try {
    note("none", std::use_facet<Own>(std::locale::classic()).value);
  } catch (const std::bad_cast &) {
    moment("no such facet");
    note("no such facet", std::has_facet<Own>(std::locale::classic()));
  }
  std::locale with(std::locale::classic(), new Own(7 + static_cast<int>(round)));
  note("own", std::use_facet<Own>(with).value);
}

int main(int argc, char **argv) {
  long rounds = argc > 1 ? std::atol(argv[1]) : 1;
  for (long i = 0; i < rounds; ++i) {
    classic(i);
    own(i);
    thrown(i);
    says = false;
  }
  std::cout << std::locale().name() << std::endl;
}
