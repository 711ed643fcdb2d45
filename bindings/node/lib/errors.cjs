// Errors, by kind: what the caller can do about them.
'use strict';

// By the numbers of unum.h.
const KINDS = [undefined, 'not_found', 'conflict', 'invalid', 'denied', 'throttled', 'timeout', 'disconnected',
  'cancelled', 'corrupt', 'exhausted', 'bug'];
const DELIVERIES = [undefined, 'final', 'again', 'bounded'];

class UnumError extends Error {
  constructor(kind, message, { code = 'Unum.Error', origin = 'node', delivery = 'final', cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.code = code;
    this.origin = origin;
    this.delivery = delivery;
  }
}
// Not an own property: what prints an error shows it once.
Object.defineProperty(UnumError.prototype, 'name', { value: 'UnumError', configurable: true, writable: true });

/// Thrown by a function's code: it did not come to an end, and is to be delivered again a few times.
class CallLost extends Error {}
Object.defineProperty(CallLost.prototype, 'name', { value: 'CallLost', configurable: true, writable: true });

function errorOf(status, origin, code, message, delivery) {
  return new UnumError(KINDS[status] || `status_${status}`, message,
    { code, origin, delivery: DELIVERIES[delivery] || 'again' });
}

/// The number of a kind; of what is none, the number of `otherwise`.
function numberOf(kind, otherwise) {
  const number = KINDS.indexOf(kind);
  return number > 0 ? number : KINDS.indexOf(otherwise);
}

function cancelledBy(signal) {
  return new UnumError('cancelled', 'the call was cancelled by its signal',
    { code: 'Unum.Cancelled', delivery: 'again', cause: signal.reason });
}

module.exports = { UnumError, CallLost, errorOf, numberOf, cancelledBy };
