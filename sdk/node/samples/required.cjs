const { task } = require("warmpool");
task("cjs.required", (payload) => payload);
