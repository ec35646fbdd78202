// The same in CommonJS: where require() takes no ES module yet (before Node 20.19) it promises its tasks.
module.exports = import("warmpool").then(({ task }) => {
  task("cjs.promised", (payload) => payload);
});
