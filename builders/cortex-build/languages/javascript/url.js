// `URL` and `URLSearchParams` as the WHATWG describes them; the engine has neither. Added where a program names them.
import "core-js/actual/url/index.js";
import "core-js/actual/url-search-params/index.js";
