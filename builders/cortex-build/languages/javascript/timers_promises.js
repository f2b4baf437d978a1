import { promises } from "./timers.js";

export const { setTimeout, setImmediate, scheduler } = promises;
export default promises;
