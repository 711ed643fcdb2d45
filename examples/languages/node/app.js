// Count, sum, smallest and largest, in JavaScript.
exports.handler = async (event, context) => ({
  count: event.length,
  sum: event.reduce((sum, number) => sum + number, 0),
  min: Math.min(...event),
  max: Math.max(...event),
});
