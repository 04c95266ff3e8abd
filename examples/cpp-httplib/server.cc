// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A server of numbers and words, by cpp-httplib: usage: server PORT. Its threads share a map, its routes are regular expressions.

#include <cstdlib>
#include <iostream>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>

#include "httplib.h"

namespace {

class Store {
public:
    void put(const std::string &key, std::string value) {
        std::lock_guard<std::mutex> hold(lock_);
        values_[key] = std::move(value);
    }

    std::string get(const std::string &key) const {
        std::lock_guard<std::mutex> hold(lock_);
        return values_.at(key);
    }

private:
    mutable std::mutex lock_;
    std::map<std::string, std::string> values_;
};

} // namespace

int main(int argc, char **argv) {
    if (argc != 2) {
        std::cerr << "usage: server PORT\n";
        return 2;
    }
    Store store;
    httplib::Server server;
    server.new_task_queue = [] { return new httplib::ThreadPool(4); };
    server.Put(R"(/values/(\w+))", [&](const httplib::Request &request, httplib::Response &response) {
        store.put(request.matches[1], request.body);
        response.status = 204;
    });
    server.Get(R"(/values/(\w+))", [&](const httplib::Request &request, httplib::Response &response) {
        response.set_content(store.get(request.matches[1]), "application/octet-stream"); // throws out_of_range
    });
    server.set_exception_handler([](const httplib::Request &, httplib::Response &response, std::exception_ptr thrown) {
        try {
            std::rethrow_exception(thrown);
        } catch (const std::out_of_range &) {
            response.status = 404;
        } catch (const std::exception &error) {
            response.status = 500;
            response.set_content(error.what(), "text/plain");
        }
    });
    std::cout << "serving" << std::endl;
    return server.listen("127.0.0.1", std::atoi(argv[1])) ? 0 : 1;
}
