-- Work of every kind that an interpreter does, in rounds; prints what a migration could spoil. `lua work.lua ROUNDS`.
local rounds = tonumber(arg[1]) or 12

-- Coroutines: a generator of permutations, suspended in the middle of its recursion.
local function permutations(list)
  local function walk(n)
    if n == 0 then return coroutine.yield(table.concat(list)) end
    for i = 1, n do
      list[i], list[n] = list[n], list[i]
      walk(n - 1)
      list[i], list[n] = list[n], list[i]
    end
  end
  return coroutine.wrap(function() walk(#list) end)
end

-- Errors that are thrown through several frames, with a finalizer on the way.
local closed = 0
local function risky(depth, limit)
  local guard <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
  if depth == limit then error({ depth = depth }) end
  return risky(depth + 1, limit) + 1
end

local function hash(text)
  local h = 5381
  for i = 1, #text do h = (h * 33 ~ text:byte(i)) & 0xffffffff end
  return h
end

local function words(seed)
  local out = {}
  for i = 1, 2000 do
    seed = (seed * 1103515245 + 12345) & 0x7fffffff
    out[i] = string.format("%x-%d", seed, seed % 977)
  end
  return out
end

for round = 1, rounds do
  local sum, count = 0, 0
  for p in permutations({ "a", "b", "c", "d", "e", "f", "g" }) do
    sum, count = (sum + hash(p)) % 1000000007, count + 1
  end
  local list = words(round)
  table.sort(list)
  local text = table.concat(list, " ")
  local swapped, changes = text:gsub("(%x+)%-(%d+)", "%2-%1")
  local found = 0
  for word in swapped:gmatch("%f[%w]9%d+") do found = found + #word end
  local ok, problem = pcall(risky, 1, 20 + round)
  local inner = select(2, pcall(function() return pcall(error, "inner " .. round) end))
  local x = 0.0
  for i = 1, 20000 do x = x + math.sin(i * round) / i end
  local parts = string.pack("<i4dz", round, x, "end")
  print(round, count, sum, hash(swapped), changes, found, ok, problem.depth, closed, inner, string.format("%.17g", x), hash(parts))
end
print("end " .. rounds)
