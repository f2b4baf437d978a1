export default (args: { a: number }) => args.a;
