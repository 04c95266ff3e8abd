// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Work for LevelDB: usage: work DIRECTORY ROUNDS. What is written is also kept in a std::map, and compared: point by point, by
// iterators, in snapshots, by threads, and after the database was opened again.

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "leveldb/cache.h"
#include "leveldb/db.h"
#include "leveldb/filter_policy.h"
#include "leveldb/write_batch.h"

namespace {

using Model = std::map<std::string, std::string>;

class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint32_t below(std::uint32_t limit) {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        return static_cast<std::uint32_t>(state_ >> 33) % limit;
    }

private:
    std::uint64_t state_;
};

void expect(const leveldb::Status &status) {
    if (!status.ok()) {
        throw std::runtime_error(status.ToString());
    }
}

class Database {
public:
    explicit Database(std::string directory)
        : directory_(std::move(directory)), cache_(leveldb::NewLRUCache(1 << 18)), filter_(leveldb::NewBloomFilterPolicy(10)) {
        open();
    }

    ~Database() {
        database_.reset();
        leveldb::DestroyDB(directory_, leveldb::Options());
    }

    void open() {
        database_.reset();
        leveldb::Options options;
        options.create_if_missing = true;
        options.write_buffer_size = 1 << 16; // small: it compacts all the time, in its own thread
        options.max_file_size = 1 << 20;
        options.block_cache = cache_.get();
        options.filter_policy = filter_.get();
        leveldb::DB *made = nullptr;
        expect(leveldb::DB::Open(options, directory_, &made));
        database_.reset(made);
    }

    leveldb::DB &operator*() const { return *database_; }
    leveldb::DB *operator->() const { return database_.get(); }

private:
    std::string directory_;
    std::unique_ptr<leveldb::Cache> cache_;
    std::unique_ptr<const leveldb::FilterPolicy> filter_;
    std::unique_ptr<leveldb::DB> database_;
};

void change(leveldb::DB &database, Model &model, Random &random) {
    leveldb::WriteBatch batch;
    for (int count = 0; count < 400; ++count) {
        std::string key = "key" + std::to_string(random.below(3000));
        if (random.below(4) == 0) {
            batch.Delete(key);
            model.erase(key);
        } else {
            std::string value(random.below(300), static_cast<char>('a' + random.below(26)));
            batch.Put(key, value);
            model[key] = value;
        }
    }
    expect(database.Write(leveldb::WriteOptions(), &batch));
}

// Number of keys and a checksum of all of them; throws if they are not the model's.
std::pair<std::size_t, std::uint64_t> compare(leveldb::DB &database, const Model &model, const leveldb::Snapshot *snapshot) {
    leveldb::ReadOptions options;
    options.snapshot = snapshot;
    std::unique_ptr<leveldb::Iterator> iterator(database.NewIterator(options));
    std::uint64_t sum = 14695981039346656037u;
    auto expected = model.begin();
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next(), ++expected) {
        if (expected == model.end() || iterator->key() != expected->first || iterator->value() != expected->second) {
            throw std::logic_error("wrong at " + iterator->key().ToString());
        }
        for (char letter : expected->first + expected->second) {
            sum = (sum ^ static_cast<unsigned char>(letter)) * 1099511628211u;
        }
    }
    expect(iterator->status());
    if (expected != model.end()) {
        throw std::logic_error("lost: " + expected->first);
    }
    return {model.size(), sum};
}

void read(leveldb::DB &database, const Model &model, const leveldb::Snapshot *snapshot, std::uint64_t seed, std::atomic<int> &wrong) {
    leveldb::ReadOptions options;
    options.snapshot = snapshot;
    Random random(seed);
    for (int count = 0; count < 2000; ++count) {
        std::string key = "key" + std::to_string(random.below(3000)), value;
        leveldb::Status status = database.Get(options, key, &value);
        auto found = model.find(key);
        bool right = found == model.end() ? status.IsNotFound() : status.ok() && value == found->second;
        wrong += !right;
    }
}

void work(const std::string &directory, int rounds) {
    Database database(directory);
    Model model;
    Random random(1);
    for (int round = 1; round <= rounds; ++round) {
        change(*database, model, random);
        const Model before = model;
        const leveldb::Snapshot *snapshot = database->GetSnapshot();
        std::atomic<int> wrong{0};
        std::vector<std::thread> readers;
        for (int number = 0; number < 2; ++number) {
            readers.emplace_back([&, number] { read(*database, before, snapshot, round * 2 + number, wrong); });
        }
        change(*database, model, random);
        for (std::thread &reader : readers) {
            reader.join();
        }
        auto [old_keys, old_sum] = compare(*database, before, snapshot);
        database->ReleaseSnapshot(snapshot);
        if (round % 10 == 0) {
            database->CompactRange(nullptr, nullptr);
            database.open();
        }
        auto [keys, sum] = compare(*database, model, nullptr);
        std::cout << round << ": " << old_keys << ' ' << std::hex << old_sum << ' ' << std::dec << keys << ' ' << std::hex << sum
                  << std::dec << ", " << wrong << " wrong" << std::endl;
    }
    try {
        database.open(); // closed first: this works
        leveldb::DB *second = nullptr;
        expect(leveldb::DB::Open(leveldb::Options(), directory, &second));
    } catch (const std::runtime_error &error) {
        std::cout << "a second one is refused" << std::endl;
    }
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 3) {
        std::cerr << "usage: work DIRECTORY ROUNDS\n";
        return 2;
    }
    try {
        work(argv[1], std::atoi(argv[2]));
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
    std::cout << "end " << argv[2] << '\n';
}
