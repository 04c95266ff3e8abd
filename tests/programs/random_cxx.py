# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random C++ programs: classes with virtual and multiple bases, virtual calls, templates, lambdas, failing constructors,
variable arguments, and exceptions thrown at random depths through frames with destructors, handlers and rethrows.

Without undefined behaviour: integers are 64 bits and unsigned, floating-point values stay small, nothing is thrown out of a
destructor, what has side effects is a statement of its own; and calls consume fuel, so that each program ends. The argument says
how often it does all of it. They need the language's runtime (libc++abi), not the standard library, whose headers take longer to
compile than all the rest.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

PROLOGUE = """\
extern "C" int printf(const char *, ...);
extern "C" int snprintf(char *, unsigned long, const char *, ...);
extern "C" void *memcpy(void *, const void *, unsigned long);
typedef unsigned long u64;
#define NOINLINE __attribute__((noinline))
static thread_local u64 sum = 1;
static int fuel = FUEL;
static void mix(u64 v) { sum = (sum ^ v) * 0x9e3779b97f4a7c15ul; sum ^= sum >> 29; }
static void mix_double(double v) { u64 b; memcpy(&b, &v, 8); mix(b); }
NOINLINE static u64 work(u64 n) { return n < 2 ? n + sum % 3 : work(n - 1) + work(n - 2); }
struct Text { char letters[24]; ~Text() { mix((u64)letters[0]); letters[0] = 0; } };
NOINLINE static Text name(u64 n) { Text t; snprintf(t.letters, sizeof t.letters, "%lx", n); mix(work(n & 3)); return t; }
NOINLINE static u64 vary(int pairs, ...) {
  __builtin_va_list list; __builtin_va_start(list, pairs); u64 r = (u64)pairs;
  for (; pairs > 0; pairs--) { r = r * 31 + __builtin_va_arg(list, u64) + work(2); mix_double(__builtin_va_arg(list, double)); }
  __builtin_va_end(list);
  if ((r & 15) == 3) throw (int)(r >> 40 & 7);
  return r;
}
"""


@dataclass
class Class:
    """One that has been written; `bases` with those of its bases, without those that are ambiguous in it."""

    name: str
    bases: list[str]


@dataclass
class Generator:
    """Writes one program."""

    choose: random.Random
    classes: list[Class] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    """Integer variables in scope."""
    count: int = 0
    catching: bool = False
    """Within a handler, where `throw;` has a meaning."""

    def program(self) -> str:
        """The whole text."""
        self.functions = [f"f{i}" for i in range(self.choose.randint(3, 6))]
        parts = [PROLOGUE.replace("FUEL", str(self.choose.choice([60, 200, 500])))]
        parts += [f"static u64 {name}(int depth, u64 a, u64 b, double x);\n" for name in self.functions]
        parts += [self.hierarchy(i) for i in range(self.choose.randint(3, 7))]
        parts += [self.guard(), self.partial(), self.template()]
        parts += [self.function(name) for name in self.functions]
        return "".join(parts) + self.main()

    def hierarchy(self, number: int) -> str:
        """A class, of none to two bases, whose functions may call back into the program."""
        name = f"C{number}"
        chosen = self.choose.sample(self.classes, min(len(self.classes), self.choose.choice([0, 1, 1, 2])))
        above = [{c.name, *c.bases} for c in chosen]
        if len(chosen) == 2 and above[0] & above[1]:
            chosen = chosen[:1]  # a base that is there twice would be ambiguous
        virtual = [self.choose.choice(["", "virtual "]) for _ in chosen]
        listed = ", ".join(f"{v}{c.name}" for v, c in zip(virtual, chosen, strict=True))
        bases = [base for c in chosen for base in (c.name, *c.bases)]
        members = self.choose.randint(1, 4)
        kinds = [self.choose.choice(["u64", "double", "unsigned char"]) for _ in range(members)]
        text = [f"struct {name}{' : ' * bool(listed)}{listed} {{"]
        text += [f"  {kind} {name}m{i} = {self.choose.randint(0, 200)};" for i, kind in enumerate(kinds)]
        text.append(f"  {name}() {{ mix({number}); }}")
        copied = " ".join(f"{name}m{i} = other.{name}m{i};" for i in range(members))
        copy_bases = ", ".join(f"{c.name}(other)" for c in chosen)
        text.append(
            f"  {name}(const {name} &other){' : ' * bool(copy_bases)}{copy_bases} "
            f"{{ {copied} mix(work({self.choose.randint(1, 6)})); }}"
        )
        text.append(f"  virtual ~{name}() {{ mix(work({self.choose.randint(1, 6)}) + (u64){name}m0); }}")
        deep = self.choose.choice(self.functions)
        body = self.choose.choice(
            [
                f"return {deep}(depth - 1, a + (u64){name}m0, {number}, 0.5);",
                f"u64 r = work(a % 7); {name}m0 += 1; return r ^ (u64){name}m{members - 1};",
                f"if (a % 3 == 1) throw *this; return a * {number + 3};",
            ]
        )
        text.append(f"  NOINLINE virtual u64 act(int depth, u64 a) {{ {body} }}")
        text.append(f"  u64 plain(u64 a) {{ mix(a); return a + (u64){name}m{members - 1}; }}\n}};\n")
        self.classes.append(Class(name, list(dict.fromkeys(bases))))
        return "\n".join(text)

    def guard(self) -> str:
        """A class whose destructor works, calls, and throws and catches within."""
        deep = self.choose.choice(self.functions)
        inner = self.choose.choice(
            [
                "mix(work(key % 8));",
                f"try {{ mix({deep}(1, key, 2, 1.5)); }} catch (...) {{ mix(work(4)); }}",
                "if (key % 5 == 2) try { throw key; } catch (u64 k) { mix(k + work(5)); }",
            ]
        )
        return (
            "struct Guard {\n  u64 key;\n  explicit Guard(u64 key) : key(key) { mix(key); }\n"
            f"  NOINLINE ~Guard() {{ mix(key + 1); {inner} }}\n}};\n"
        )

    def partial(self) -> str:
        """A class whose construction may fail in any member, and whose constructor has a handler of its own."""
        made = self.choose.randint(2, 5)
        return (
            "struct Fails {\n  Guard guard; u64 at;\n"
            "  NOINLINE Fails(u64 n, u64 when) : guard(n), at(n) { mix(work(n % 6)); if (n == when) throw n; }\n};\n"
            "struct Whole {\n"
            f"  {' '.join(f'Fails m{i};' for i in range(made))}\n"
            f"  Whole(u64 when) try : {', '.join(f'm{i}({i}, when)' for i in range(made))} {{ mix(when); }}\n"
            "  catch (u64 n) { mix(n + work(4)); }\n};\n"
        )

    def template(self) -> str:
        """A function template that throws its own parameter's type from a depth that is a parameter."""
        return (
            "template <class T, int N> NOINLINE T fold(T value, u64 a) {\n"
            "  Guard guard(a % 16);\n"
            "  if constexpr (N > 0) { T inner = fold<T, N - 1>(value + (T)1, a * 3 + N); mix(work(N)); return inner + (T)N; }\n"
            "  else { if (a % 2) throw value; return value; }\n}\n"
        )

    def function(self, name: str) -> str:
        self.names = ["a", "b"]
        head = f"static u64 {name}(int depth, u64 a, u64 b, double x)"
        attribute = self.choose.choice(["NOINLINE ", "NOINLINE ", ""])
        lines = [
            f"{attribute}{head} {{",
            "  if (depth <= 0 || fuel-- <= 0) return a ^ b;",
            "  u64 r = a + 1;",
        ]
        self.names.append("r")
        lines += [f"  {self.statement(3)}" for _ in range(self.choose.randint(3, 8))]
        lines += ["  mix_double(x);", *(f"  mix({name});" for name in self.names), "  return r;", "}\n"]
        return "\n".join(lines)

    def value(self, depth: int = 2) -> str:
        """An integer, without side effects."""
        if not depth or self.choose.random() < 0.3:
            return self.choose.choice([*self.names, *self.names, f"{self.choose.randint(0, 1000)}ul"])
        a, b = self.value(depth - 1), self.value(depth - 1)
        return self.choose.choice(
            [f"({a} {self.choose.choice('+-*^&|')} {b})", f"({a} >> {self.choose.randint(1, 40)})"]
        )

    def statement(self, depth: int) -> str:
        kinds: list[Callable[[int], str]] = [
            self.assignment,
            self.call,
            self.call,
            self.virtual,
            self.throw,
            self.declare,
            self.templated,
            self.array,
            self.variadic,
        ]
        if depth:
            kinds += [
                self.attempt,
                self.attempt,
                self.attempt,
                self.loop,
                self.branch,
                self.guarded,
                self.guarded,
                self.closure,
                self.member,
                self.constructed,
                self.once,
                self.silent,
            ]
        return self.choose.choice(kinds)(depth)

    def block(self, depth: int) -> str:
        """Statements in a scope of their own."""
        saved = list(self.names)
        text = " ".join(self.statement(depth - 1) for _ in range(self.choose.randint(1, 3)))
        self.names = saved
        return text

    def number(self) -> int:
        self.count += 1
        return self.count

    def assignment(self, _: int) -> str:
        target = self.choose.choice(self.names)
        return self.choose.choice(
            [
                f"{target} = {self.value()};",
                "x = x * 0.5 + 1.25;",
                f"x = (double)({self.value()} & 1023) * 0.25 - x * 0.125;",
            ]
        )

    def declare(self, _: int) -> str:
        name = f"v{self.number()}"
        text = f"u64 {name} = {self.value()};"
        self.names.append(name)
        return text

    def call(self, _: int) -> str:
        target, callee = self.choose.choice(self.names), self.choose.choice(self.functions)
        return f"{target} = {callee}(depth - 1, {self.value()}, {self.value()}, x);"

    def virtual(self, _: int) -> str:
        """A call through a base that need not be the first one, of an object on the stack or on the heap."""
        made = self.choose.choice(self.classes)
        seen = self.choose.choice([made.name, *made.bases])
        n, run = self.number(), f"->act(depth - 1, {self.value()})"
        if self.choose.random() < 0.5:
            return f"{{ {made.name} o{n}; {seen} *p{n} = &o{n}; r += p{n}{run}; }}"
        guarded = f"try {{ r += p{n}{run}; }} catch (...) {{ delete p{n}; throw; }}"
        return f"{{ {seen} *p{n} = new {made.name}; {guarded} delete p{n}; }}"

    def throw(self, _: int) -> str:
        value = self.value()
        what = self.choose.choice(
            [
                f"throw (u64){value}",
                f"throw (int)({value} & 255)",
                "throw x",
                'throw "text"',
                *[f"throw {c.name}()" for c in self.classes],
                *(["throw"] * 3 if self.catching else []),
            ]
        )
        return f"if (({self.value()} & {self.choose.choice([1, 3, 7])}) == 1) {what};"

    def templated(self, _: int) -> str:
        kind, depth = self.choose.choice(["u64", "double", "int", "float"]), self.choose.randint(0, 6)
        handler = f"catch ({kind} e) {{ mix((u64)e); }}"
        text = f"{{ {kind} t = fold<{kind}, {depth}>(({kind})({self.value()} & 63), {self.value()}); mix((u64)t); }}"
        return f"try {text} {handler}" if self.choose.random() < 0.6 else text

    def array(self, _: int) -> str:
        n = self.number()
        return (
            f"{{ u64 size{n} = ({self.value()} & 15) + 1, *q{n} = new u64[size{n}]; "
            f"for (u64 i = 0; i < size{n}; i++) q{n}[i] = i * a; mix(work(3)); mix(q{n}[size{n} / 2]); delete[] q{n}; }}"
        )

    def variadic(self, _: int) -> str:
        """Arguments are stored in the frame, beside objects, and calls may pass exceptions or not."""
        n, pairs = self.number(), self.choose.randint(0, 4)
        call = f"r ^= vary({', '.join([str(pairs), *(f'{self.value()}, x' for _ in range(pairs))])});"
        if self.choose.random() < 0.4:
            return call
        made, size = f"Text t{n} = name({self.value()});", self.choose.choice([20, 40, 100])
        text = f'char s{n}[{size}]; snprintf(s{n}, {size}, "%d %lx %s %g", {n}, {self.value()}, t{n}.letters, x);'
        return f"{{ {made} {call} {text} for (char *c = s{n}; *c; c++) mix((u64)*c); }}"

    def attempt(self, depth: int) -> str:
        body, saved = self.block(depth), self.catching
        self.catching = True
        listed = [self.handler(depth) for _ in range(self.choose.randint(1, 3))]
        handlers = " ".join(dict.fromkeys(listed))
        if self.choose.random() < 0.4:
            handlers += f" catch (...) {{ mix(7); {self.block(depth)} }}"
        self.catching = saved
        return f"try {{ {body} }} {handlers}"

    def handler(self, depth: int) -> str:
        n, made, other = self.number(), self.choose.choice(self.classes), self.choose.choice(self.classes)
        saved, self.names = self.names, list(self.names)
        cast = f"mix((u64)(dynamic_cast<{other.name} *>(&e{n}) != nullptr));"
        caught, use = self.choose.choice(
            [
                (f"u64 e{n}", f"mix(e{n});"),
                (f"int e{n}", f"mix((u64)e{n});"),
                (f"double e{n}", f"mix_double(e{n});"),
                (f"const char *e{n}", f"mix((u64)e{n}[1]);"),
                (f"{made.name} &e{n}", f"mix((u64)e{n}.{made.name}m0); {cast}"),
                (f"{made.name} e{n}", f"r ^= e{n}.plain({self.choose.choice(self.names)});"),
                (f"const {made.name} &e{n}", f"mix((u64)e{n}.{made.name}m0 + 3);"),
            ]
        )
        text = f"catch ({caught}) {{ {use} {self.block(depth)} }}"
        self.names = saved
        return text

    def loop(self, depth: int) -> str:
        i = f"i{self.number()}"
        head = f"u64 {i} = 0; {i} < {self.choose.randint(1, 5)} && fuel > -2000; {i}++, fuel--"
        return f"for ({head}) {{ Guard g({i}); {self.block(depth)} mix({i}); }}"

    def branch(self, depth: int) -> str:
        return f"if ({self.value()} & 1) {{ {self.block(depth)} }} else {{ {self.block(depth)} }}"

    def guarded(self, depth: int) -> str:
        return f"{{ Guard g{self.number()}({self.value()}); {self.block(depth)} }}"

    def closure(self, depth: int) -> str:
        """The lambda's body sees copies or references of what surrounds it."""
        n, how = self.number(), self.choose.choice(["&", "=, &r, &x"])
        text = self.inner(depth, ["r", f"k{n}"])
        head = f"auto l{n} = [{how}](u64 k{n}) mutable -> u64"
        return f"{{ {head} {{ Guard g(k{n}); {text} mix(b); return k{n} + r; }}; r = l{n}({self.value()}); }}"

    def inner(self, depth: int, names: list[str]) -> str:
        """Statements of a function within this one."""
        saved, catching = self.names, self.catching
        self.names, self.catching = names, False
        text = self.block(depth)
        self.names, self.catching = saved, catching
        return text

    def member(self, _: int) -> str:
        made, n = self.choose.choice(self.classes).name, self.number()
        plain = f"u64 ({made}::*f{n})(u64) = &{made}::plain;"
        act = f"u64 ({made}::*v{n})(int, u64) = &{made}::act;"
        return f"{{ {made} o{n}; {plain} {act} r = (o{n}.*f{n})(r); r ^= (o{n}.*v{n})(depth - 1, {self.value()}); }}"

    def constructed(self, depth: int) -> str:
        return f"try {{ Whole w({self.value()} & 7); {self.block(depth)} }} catch (u64 n) {{ mix(n); }}"

    def once(self, _: int) -> str:
        """A static variable whose initialiser may throw, and is then tried again."""
        n = self.number()
        made = "[](u64 v) { mix(work(v % 5)); if (v & 2) throw (int)v; return work(v % 7) + v; }"
        return f"{{ static u64 s{n} = {made}({self.value()} & 255); mix(s{n}); s{n}++; }}"

    def silent(self, depth: int) -> str:
        """Everything is caught within a function that promises to throw nothing."""
        n, text = self.number(), self.inner(depth, ["r"])
        return f"{{ auto n{n} = [&]() noexcept {{ try {{ {text} }} catch (...) {{ mix(work(3)); }} }}; n{n}(); }}"

    def main(self) -> str:
        lines = [
            "int main(int, char **argv) {",
            "  u64 rounds = 0; for (char *c = argv[1]; *c; c++) rounds = rounds * 10 + (*c - '0');",
        ]
        handlers = "catch (u64 e) { mix(e); } catch (int e) { mix((u64)e); } catch (...) { mix(11); }"
        for name in self.functions:
            run = f"fuel = fuel > 0 ? fuel : 40; try {{ mix({name}(6, i, {self.choose.randint(0, 99)}, 0.5)); }} {handlers}"
            lines.append(f'  for (u64 i = 0; i < rounds; i++) {{ {run} printf("%lx\\n", sum); }}')
        return "\n".join([*lines, "  return (int)(sum & 63);", "}\n"])


def generate(seed: int) -> str:
    """The program of a seed."""
    return Generator(random.Random(seed)).program()
