// What the workers of Node's pools run.
const echo = (payload) => payload;
module.exports = echo;
module.exports.echo = echo;
if (process.env.COMPARE_POOL === "workerpool") require("workerpool").worker({ echo });
