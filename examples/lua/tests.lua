-- Lua's own tests, each file as many times as the argument says, in one process. Prints one line for each; what a file prints is dropped.
-- Left out: those that need Lua's internal interface or other programs; files.lua prints the time, db.lua looks into print, and events.lua
-- can be run once only.
local files = {
  "attrib", "big", "bitwise", "bwcoercion", "calls", "closure", "code", "constructs", "coroutine", "cstack", "errors", "gc", "gengc", "goto",
  "literals", "locals", "math", "nextvar", "pm", "sort", "strings", "tpack", "utf8", "vararg", "verybig",
}
local load, show, setlocale = loadfile, print, os.setlocale
_soft, _port = true, true -- neither long runs nor what differs between systems
os.setlocale = function (name, ...) -- C libraries without locales take any name
  if name ~= "pt_BR" and name ~= "ptb" then return setlocale(name, ...) end
end
io.stderr = assert(io.open("/dev/null", "w")) -- the number of collections of garbage, which differs from run to run
-- Takes what print takes. A function of C, as some tests expect.
local silent = coroutine.wrap(function () while true do coroutine.yield() end end)
local failed = 0
for round = 1, tonumber(arg[1] or 1) do
  for _, name in ipairs(files) do
    print = silent
    local good, why = pcall(assert(load(name .. ".lua")))
    print = show
    print(round, name, good and "passed" or why)
    io.stdout:flush()
    failed = failed + (good and 0 or 1)
  end
end
os.exit(failed == 0)
