/** Called with the parameters that the manifest names; what it returns is the result. */
export default ({ name }) => ({ greeting: `Hello, ${name}!` });
