// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// library ROUNDS: the C++ library's parts, with results that do not depend on timing. -DBRIEF: without those that take longest to compile.
#include <algorithm>
#include <any>
#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <coroutine>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iomanip>
#include <iostream>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <queue>
#include <random>
#include <ranges>
#include <set>
#include <shared_mutex>
#include <sstream>
#include <string>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>
#ifndef BRIEF
#include <format>
#include <regex>
#endif

static unsigned long sum = 1;
static void mix(unsigned long v) { sum = (sum ^ v) * 0x9e3779b97f4a7c15ul; sum ^= sum >> 29; }
static void mix(const std::string &text) { for (char c : text) mix(static_cast<unsigned char>(c)); }

static void containers(int round) {
  std::map<std::string, std::vector<int>> words;
  std::unordered_map<int, std::string> names;
  std::set<int> set;
  std::deque<double> deque;
  std::list<std::unique_ptr<int>> list;
  std::priority_queue<int> queue;
  for (int i = 0; i < 200; ++i) {
    words["word" + std::to_string(i * 7919 % 31)].push_back(i);
    names[i * round % 97] += static_cast<char>('a' + i % 26);
    set.insert(i * i % 113);
    deque.push_front(i * 0.25);
    list.push_back(std::make_unique<int>(i));
    queue.push(i * 37 % 101);
  }
  for (auto &[word, numbers] : words)
    mix(word), mix(std::accumulate(numbers.begin(), numbers.end(), 0));
  std::vector<std::pair<int, std::string>> sorted(names.begin(), names.end());
  std::sort(sorted.begin(), sorted.end());
  for (auto &[number, name] : sorted)
    mix(number), mix(name);
  mix(set.size() + queue.top());
  list.remove_if([](const auto &p) { return *p % 3 == 0; });
  mix(list.size());
  std::stable_sort(deque.begin(), deque.end());
  mix(static_cast<unsigned long>(deque[17] * 4));
  auto even = std::views::iota(0, 100) | std::views::filter([](int i) { return i % 2 == 0; }) |
              std::views::transform([](int i) { return i * i; });
  for (int v : even)
    mix(v);
}

static void text(int round) {
  std::ostringstream out;
  out << std::setw(8) << std::setfill('*') << round << ' ' << std::hex << 255 + round << ' ' << std::setprecision(12) << round / 7.0
      << std::boolalpha << true;
  mix(out.str());
  std::istringstream in("12 3.5 word");
  int i;
  double d;
  std::string word;
  in >> i >> d >> word;
  mix(i + static_cast<int>(d * 2));
#ifndef BRIEF
  mix(std::format("{:>10}|{:<8.3f}|{:#x}|{}", "right", round / 3.0, round, word));
  std::regex pattern(R"((\w+)@(\w+)\.(com|org))");
  std::string mail = "someone@example.org, other@place.com and no@thing";
  for (std::sregex_iterator it(mail.begin(), mail.end(), pattern), end; it != end; ++it)
    mix((*it)[1].str() + (*it)[2].str());
  mix(std::regex_replace(mail, std::regex("o"), "0"));
#endif
  char digits[32];
  auto [end, error] = std::to_chars(digits, digits + sizeof digits, round * 1.1);
  mix(std::string(digits, end));
  try {
    std::stoi("nothing");
  } catch (const std::invalid_argument &e) {
    mix(e.what());
  }
}

static void threads(int round) {
  std::mutex mutex;
  std::condition_variable ready;
  std::shared_mutex shared;
  std::atomic<long> count = 0;
  std::atomic<double> real = 0;
  std::queue<int> queue;
  bool done = false;
  long consumed = 0;
  std::thread consumer([&] {
    std::unique_lock lock(mutex);
    while (true) {
      ready.wait(lock, [&] { return done || !queue.empty(); });
      if (queue.empty())
        return;
      consumed += queue.front();
      queue.pop();
    }
  });
  std::vector<std::thread> producers;
  for (int t = 0; t < 3; ++t)
    producers.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        { std::lock_guard lock(mutex); queue.push(i * t); }
        ready.notify_one();
        std::shared_lock lock(shared);
        count += i;
        real += 0.5;
      }
    });
  for (auto &thread : producers)
    thread.join();
  { std::lock_guard lock(mutex); done = true; }
  ready.notify_all();
  consumer.join();
  mix(consumed + count + static_cast<long>(real * 2));
  auto later = std::async(std::launch::async, [round] { if (round % 2) throw std::runtime_error("odd"); return round * 3; });
  try {
    mix(later.get());
  } catch (const std::runtime_error &e) {
    mix(e.what());
  }
  std::atomic<int> flag = 0;
  std::thread waker([&] { flag = 1; flag.notify_one(); });
  flag.wait(0);
  waker.join();
}

struct Generator {
  struct promise_type {
    long value = 0;
    Generator get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(long v) { value = v; return {}; }
    void return_void() {}
    void unhandled_exception() { throw; }
  };
  std::coroutine_handle<promise_type> handle;
  ~Generator() { handle.destroy(); }
};
static Generator squares(long n) {
  for (long i = 0; i < n; ++i)
    co_yield i * i;
}

static void others(int round) {
  std::mt19937_64 random(round);
  std::normal_distribution<> normal(0, 10);
  for (int i = 0; i < 20; ++i)
    mix(random() ^ static_cast<long>(normal(random) * 1000));
  std::variant<int, std::string, double> variant = round % 3 ? std::variant<int, std::string, double>(round) : std::string("text");
  mix(std::visit([](auto &v) { return sizeof v; }, variant));
  std::any any = std::string("any");
  mix(std::any_cast<std::string &>(any));
  std::function<long(long)> function = [&](long n) { return n < 2 ? 1 : n * function(n - 1); };
  mix(function(12));
  Generator generator = squares(20);
  for (generator.handle.resume(); !generator.handle.done(); generator.handle.resume())
    mix(generator.handle.promise().value);
  using namespace std::chrono;
  mix((sys_days(2026y / November / 28) - sys_days(2000y / January / 1)).count());
  mix(std::gcd(round * 12, 18) + std::lcm(4, 6));
}

static void files() {
  namespace fs = std::filesystem;
  fs::create_directories("made/below");
  std::ofstream("made/below/file") << "line one\nline two\n";
  std::ifstream in("made/below/file");
  for (std::string line; std::getline(in, line);)
    mix(line);
  for (auto &entry : fs::recursive_directory_iterator("made"))
    mix(entry.path().filename().string());
  fs::remove_all("made");
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? std::atoi(argv[1]) : 5;
  for (int i = 0; i < rounds; ++i)
    containers(i), text(i), threads(i), others(i);
  files();
  std::cout << "sum " << std::hex << sum << std::endl;
}
