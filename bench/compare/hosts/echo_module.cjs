// What pools in Node call.
const echo = (payload) => payload;
module.exports = echo;
module.exports.echo = echo;
