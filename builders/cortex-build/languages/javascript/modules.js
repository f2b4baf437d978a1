// `require` for the modules of Node that a program uses, which were bundled beside it.
export const provide = (modules) => (name) => {
  const module = modules[name.replace(/^node:/, "")];
  if (!module) throw new Error(`Cannot find module '${name}'`);
  // This module of Node is one of its own exports.
  if (module.EventEmitter) return Object.assign(module.EventEmitter, { EventEmitter: module.EventEmitter, once: module.once });
  // A default export is what CommonJS knows as the module; names beside it belong to it.
  const whole = module.default;
  if (whole === null || (typeof whole !== "object" && typeof whole !== "function")) return module;
  for (const key of Object.keys(module)) if (key !== "default" && !(key in whole)) whole[key] = module[key];
  return whole;
};
