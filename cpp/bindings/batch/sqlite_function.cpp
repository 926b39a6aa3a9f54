#include <pybind11/pybind11.h>

#include <headrace/sqlite/lookup.hpp>

#include "../errors.hpp"
#include "native_functions.hpp"

namespace py = pybind11;

namespace headrace::bindings {
namespace {

bool to_value(PyObject* argument, sqlite::value& out) {
    if (PyLong_Check(argument) != 0) {
        const auto number = PyLong_AsLongLong(argument);
        if (number == -1 && PyErr_Occurred() != nullptr) return false;
        out = static_cast<std::int64_t>(number);
    } else if (PyFloat_Check(argument) != 0) {
        out = PyFloat_AS_DOUBLE(argument);
    } else if (PyUnicode_Check(argument) != 0) {
        Py_ssize_t size = 0;
        const char* text = PyUnicode_AsUTF8AndSize(argument, &size);
        if (text == nullptr) return false;
        out = std::string(text, static_cast<std::size_t>(size));
    } else if (PyBytes_Check(argument) != 0) {
        out = sqlite::blob{
            std::string(PyBytes_AS_STRING(argument), static_cast<std::size_t>(PyBytes_GET_SIZE(argument)))};
    } else {
        PyErr_Format(PyExc_TypeError, "a SQLite key must be int, float, str or bytes, not %s",
                     Py_TYPE(argument)->tp_name);
        return false;
    }
    return true;
}

PyObject* from_sqlite(const sqlite::value& v) {
    switch (v.index()) {
        case 1: return PyLong_FromLongLong(std::get<1>(v));
        case 2: return PyFloat_FromDouble(std::get<2>(v));
        case 3: {
            const auto& text = std::get<3>(v);
            return PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), nullptr);
        }
        case 4: {
            const auto& bytes = std::get<4>(v).bytes;
            return PyBytes_FromStringAndSize(bytes.data(), static_cast<Py_ssize_t>(bytes.size()));
        }
        default: return Py_NewRef(Py_None);
    }
}

PyObject* from_sqlite(const sqlite::row& row) {
    PyObject* made = PyTuple_New(static_cast<Py_ssize_t>(row.size()));
    for (std::size_t i = 0; made != nullptr && i < row.size(); ++i) {
        PyObject* value = from_sqlite(row[i]);
        if (value == nullptr) {
            Py_CLEAR(made);
        } else {
            PyTuple_SET_ITEM(made, static_cast<Py_ssize_t>(i), value);
        }
    }
    return made;
}

class key_lookup final : public request {
public:
    key_lookup(batch_core& core, PyObject* argument, sqlite::value key, bool all)
        : request(core, argument), key_(std::move(key)), all_(all) {}
    const sqlite::value& key() const noexcept { return key_; }
    void set_rows(std::vector<sqlite::row> rows) { rows_ = std::move(rows); }

    PyObject* native_result() override {
        if (!all_) return rows_.empty() ? Py_NewRef(Py_None) : from_sqlite(rows_.front());
        PyObject* list = PyList_New(static_cast<Py_ssize_t>(rows_.size()));
        for (std::size_t i = 0; list != nullptr && i < rows_.size(); ++i) {
            PyObject* row = from_sqlite(rows_[i]);
            if (row == nullptr) {
                Py_CLEAR(list);
            } else {
                PyList_SET_ITEM(list, static_cast<Py_ssize_t>(i), row);
            }
        }
        return list;
    }

private:
    const sqlite::value key_;
    const bool all_;
    std::vector<sqlite::row> rows_;
};

class sqlite_function final : public native_function {
public:
    sqlite_function(std::shared_ptr<sqlite::lookup> lookup, bool all)
        : native_function("sqlite"), lookup_(std::move(lookup)), all_(all) {}

    request* make_request(batch_core& core, PyObject* argument) override {
        sqlite::value key;
        return to_value(argument, key) ? new key_lookup(core, argument, std::move(key), all_) : nullptr;
    }

    void run(std::span<batch::item* const> items) override {
        std::vector<sqlite::value> keys;
        keys.reserve(items.size());
        for (auto* it : items) keys.push_back(static_cast<key_lookup*>(it)->key());
        std::vector<sqlite::found> found;
        if (const auto bad = lookup_->find(keys, found)) throw failure_error(bad);
        for (std::size_t i = 0; i < items.size(); ++i) {
            auto& r = static_cast<key_lookup&>(*items[i]);
            if (found[i].error) {
                r.set_failure(std::move(found[i].error));
            } else {
                r.set_rows(std::move(found[i].rows));
            }
        }
    }

private:
    const std::shared_ptr<sqlite::lookup> lookup_;
    const bool all_;
};

}  // namespace

std::shared_ptr<native_function> make_sqlite(const std::string& path, const std::string& query, bool all,
                                             ns busy_timeout) {
    std::shared_ptr<sqlite::lookup> lookup;
    sqlite::lookup_options options;
    options.busy_timeout = busy_timeout;
    throw_if(sqlite::lookup::open(path, query, options, lookup));
    return std::make_shared<sqlite_function>(std::move(lookup), all);
}

}  // namespace headrace::bindings
