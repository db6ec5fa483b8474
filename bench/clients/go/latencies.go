package main

import (
	"math/bits"
	"slices"
	"time"
)

const exactBits = 11

// latencies counts tasks by the highest value, in µs, that HdrHistogram counts in the same place.
type latencies map[int64]int64

func (seen latencies) record(took time.Duration, count int) {
	roundedUp := (took.Nanoseconds() + 999) / 1000
	seen[highestEquivalent(roundedUp)] += int64(count)
}

// pairs are of value and count, in ascending order.
func (seen latencies) pairs() [][2]int64 {
	pairs := make([][2]int64, 0, len(seen))
	for value, count := range seen {
		pairs = append(pairs, [2]int64{value, count})
	}
	slices.SortFunc(pairs, func(one, other [2]int64) int { return int(one[0] - other[0]) })
	return pairs
}

// highestEquivalent is never below the value.
func highestEquivalent(value int64) int64 {
	shift := max(bits.Len64(uint64(value))-exactBits, 0)
	return (((value >> shift) + 1) << shift) - 1
}
