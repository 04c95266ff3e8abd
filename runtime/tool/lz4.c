/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See lz4.h. */
#include "lz4.h"

enum { HASH_BITS = 14, LEAST_MATCH = 4, MOST_DISTANCE = 65535, MARGIN = 12, LAST_LITERALS = 5 /* at the end no match begins, or goes on */, PATIENCE = 6 };
enum { LONG = 15 /* of a token's halves: more bytes of length follow */, BYTE = 255 };

static uint64_t load64(const uint8_t *at)
{
	uint64_t word;
	__builtin_memcpy(&word, at, sizeof word);
	return word;
}

static uint32_t load32(const uint8_t *at)
{
	uint32_t word;
	__builtin_memcpy(&word, at, sizeof word);
	return word;
}

/* In words, of which the last may reach a little beyond; they may overlap if they are as far apart as a word is long. */
static void copy_words(uint8_t *to, const uint8_t *from, size_t size)
{
	for (size_t at = 0; at < size; at += 8)
		__builtin_memcpy(to + at, from + at, 8);
}

/* --- writing ------------------------------------------------------------------------------------------------------- */

/* Of five bytes. */
static uint32_t hash_of(const uint8_t *at)
{
	return (uint32_t)((load64(at) << 24) * 889523592379u >> (64 - HASH_BITS));
}

static size_t equal_bytes(const uint8_t *a, const uint8_t *b, const uint8_t *end)
{
	const uint8_t *begin = a;
	while (a + 8 <= end) {
		uint64_t difference = load64(a) ^ load64(b);
		if (difference)
			return (size_t)(a - begin) + (size_t)__builtin_ctzll(difference) / 8;
		a += 8;
		b += 8;
	}
	while (a < end && *a == *b)
		a++, b++;
	return (size_t)(a - begin);
}

static uint8_t *put_length(uint8_t *to, size_t rest)
{
	for (; rest >= BYTE; rest -= BYTE)
		*to++ = BYTE;
	*to++ = (uint8_t)rest;
	return to;
}

/* `length` of a match, 0 of none. NULL if there is no room. */
static uint8_t *put_sequence(uint8_t *to, const uint8_t *limit, const uint8_t *literals, size_t count, size_t distance, size_t length)
{
	size_t rest = length ? length - LEAST_MATCH : 0;
	if (count + count / BYTE + rest / BYTE + 16 > (size_t)(limit - to))
		return NULL;
	*to++ = (uint8_t)((count < LONG ? count : LONG) << 4 | (rest < LONG ? rest : LONG));
	if (count >= LONG)
		to = put_length(to, count - LONG);
	memcpy(to, literals, count);
	to += count;
	if (!length)
		return to;
	*to++ = (uint8_t)distance;
	*to++ = (uint8_t)(distance >> 8);
	return rest >= LONG ? put_length(to, rest - LONG) : to;
}

size_t lz4_pack(const char *from, size_t size, char *to, size_t room)
{
	static uint32_t places[1 << HASH_BITS];
	const uint8_t *begin = (const uint8_t *)from, *at = begin + 1, *done = begin, *end = begin + size;
	const uint8_t *limit = (uint8_t *)to + room;
	uint8_t *out = (uint8_t *)to;
	uint32_t misses = 1 << PATIENCE;
	memset(places, 0, sizeof places);
	while (size > MARGIN && at < end - MARGIN) {
		uint32_t *place = &places[hash_of(at)];
		const uint8_t *seen = begin + *place;
		*place = (uint32_t)(at - begin);
		if (at - seen > MOST_DISTANCE || load32(seen) != load32(at)) {
			at += misses++ >> PATIENCE; /* what does not pack is passed quicker and quicker */
			continue;
		}
		for (; at > done && seen > begin && at[-1] == seen[-1]; at--, seen--)
			;
		size_t length = LEAST_MATCH + equal_bytes(at + LEAST_MATCH, seen + LEAST_MATCH, end - LAST_LITERALS);
		out = put_sequence(out, limit, done, (size_t)(at - done), (size_t)(at - seen), length);
		if (!out)
			return 0;
		at += length;
		done = at;
		misses = 1 << PATIENCE;
		if (at < end - MARGIN)
			places[hash_of(at - 2)] = (uint32_t)(at - 2 - begin);
	}
	out = put_sequence(out, limit, done, (size_t)(end - done), 0, 0);
	return out ? (size_t)(out - (uint8_t *)to) : 0;
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

/* The rest of a length; false if it does not end. */
static bool take_length(const uint8_t **at, const uint8_t *end, size_t *length)
{
	uint8_t byte = BYTE;
	while (byte == BYTE) {
		if (*at == end)
			return false;
		byte = *(*at)++;
		*length += byte;
	}
	return true;
}

static void repeat(uint8_t *to, size_t distance, size_t size)
{
	const uint8_t *from = to - distance;
	if (distance >= 8) {
		copy_words(to, from, size);
		return;
	}
	while (size--)
		*to++ = *from++;
}

bool lz4_expand(const char *from, size_t size, char *to, size_t wanted)
{
	const uint8_t *at = (const uint8_t *)from, *end = at + size;
	uint8_t *begin = (uint8_t *)to, *out = begin, *limit = out + wanted;
	while (at < end) {
		uint8_t token = *at++;
		size_t count = token >> 4, length = token & LONG;
		if ((count == LONG && !take_length(&at, end, &count)) || count > (size_t)(end - at) || count > (size_t)(limit - out))
			return false;
		copy_words(out, at, count);
		at += count;
		out += count;
		if (at == end)
			return out == limit;
		if (end - at < 2)
			return false;
		size_t distance = at[0] | (size_t)at[1] << 8;
		at += 2;
		if (length == LONG && !take_length(&at, end, &length))
			return false;
		length += LEAST_MATCH;
		if (!distance || distance > (size_t)(out - begin) || length > (size_t)(limit - out))
			return false;
		repeat(out, distance, length);
		out += length;
	}
	return false;
}
