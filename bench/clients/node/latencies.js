'use strict';

const EXACT_BITS = 11;

// Counts latencies by the highest value, in µs, that HdrHistogram counts in the same place.
class Latencies {
  constructor() {
    this.counts = new Map();
  }

  record(nanoseconds, count) {
    const value = highestEquivalent(Math.ceil(nanoseconds / 1000));
    this.counts.set(value, (this.counts.get(value) || 0) + count);
  }

  // [value, count] in ascending order.
  pairs() {
    return [...this.counts].sort(([one], [other]) => one - other);
  }
}

// Never below the value. By powers rather than shifts, which are of 32 bits here.
function highestEquivalent(value) {
  const width = 2 ** Math.max(bitLength(value) - EXACT_BITS, 0);
  return (Math.floor(value / width) + 1) * width - 1;
}

function bitLength(value) {
  return value < 1 ? 0 : value.toString(2).length;
}

module.exports = { Latencies, highestEquivalent };
