// Work of many kinds for an interpreter; prints the same at every run. Usage: qjs --module work.js ROUNDS
"use strict";
const rounds = parseInt(scriptArgs[1] || "12");
let state = 12345;
const random = () => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) / 2 ** 32;

// Its own bound on the stack ends this recursion: by __builtin_frame_address.
function overflow(depth) { return 1 + overflow(depth + 1); }
function* fibonacci() { let [a, b] = [0n, 1n]; for (;;) { yield a; [a, b] = [b, a + b]; } }

function numbers() {
  const list = Array.from({ length: 4000 }, random);
  list.sort((a, b) => a - b);
  return list.reduce((sum, x, i) => sum + Math.sin(x * i) * Math.exp(-x), 0);
}
function texts() {
  let text = "";
  for (let i = 0; i < 2000; i++) text += String.fromCharCode(97 + Math.floor(random() * 26));
  return text.replace(/([aeiou])([^aeiou]+)/g, (_, vowel, rest) => rest.toUpperCase() + vowel).match(/[A-Z]{3,}/g).join(" ");
}
function big() {
  let n = 0, last;
  for (last of fibonacci()) if (++n > 1500) break;
  return (last ** 3n % 1000000007n).toString();
}
function objects() {
  const map = new Map();
  for (let i = 0; i < 5000; i++) {
    const key = "k" + Math.floor(random() * 500);
    map.set(key, { ...(map.get(key) || { list: [] }), [i % 7]: i, text: `${key}:${i}` });
  }
  return JSON.stringify([...map].sort()).length;
}
function deep() {
  try { overflow(0); } catch (error) { return error instanceof InternalError || error instanceof RangeError; }
  return "no error";
}
async function turns() {
  let sum = 0;
  for (let i = 0; i < 300; i++) sum += await new Promise((done) => Promise.resolve(i).then((x) => done(x * 2)));
  return sum;
}
for (let round = 1; round <= rounds; round++) {
  let sum = 0;
  for (let i = 0; i < 6; i++) sum += numbers();
  console.log(round, sum, texts().length, big(), objects(), deep(), await turns());
}
console.log("end", rounds);
