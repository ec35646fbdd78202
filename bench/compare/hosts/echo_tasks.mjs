// What workers of warmpool in Node do.
import { task } from "../../../sdk/node/src/index.js";

task("echo", (payload) => payload);
task("held", (payload) => payload);
