"""Writes python.tsv: expressions and what Python answers, for `tests/python.rs` to compare with.

    python3 tests/python.py > tests/python.tsv

The expressions are the same on every run. Those whose parts leave 128 bits are left out unless the whole does: Python stays
exact there, the calculator says `approximate`.
"""

import math
import random

LIMIT = 2**127
NAMES = {
    "sqrt": math.sqrt, "cbrt": math.cbrt, "sin": math.sin, "cos": math.cos, "tan": math.tan, "asin": math.asin,
    "acos": math.acos, "atan": math.atan, "atan2": math.atan2, "sinh": math.sinh, "cosh": math.cosh, "tanh": math.tanh,
    "abs": abs, "round": round, "floor": math.floor, "ceil": math.ceil, "trunc": math.trunc, "log": math.log,
    "log10": math.log10, "log2": math.log2, "ln": math.log, "exp": math.exp, "pow": pow, "hypot": math.hypot, "min": lambda *a: min(a),
    "max": lambda *a: max(a), "gcd": math.gcd, "factorial": math.factorial, "degrees": math.degrees, "radians": math.radians,
    "sign": lambda x: (x > 0) - (x < 0), "pi": math.pi, "e": math.e, "tau": math.tau, "inf": math.inf,
}
UNARY = ["sqrt", "cbrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "abs", "round", "floor", "ceil",
         "trunc", "log", "log10", "log2", "ln", "exp", "degrees", "radians", "sign"]
NUMBERS = ["0", "1", "2", "3", "7", "10", "-1", "-2", "-7", "0.5", "-0.5", "1.5", "2.5", "-2.5", "0.1", "1e3", "1e-7", "1e22",
           "123456789", "-1000000007", "9007199254740993", "3.14", "1_000", ".25", "5.", "0xff", "0b101", "0o17", "99.99",
           "170141183460469231731687303715884105727"]

HAND = """
sqrt(16) + 3**2|2+2*3|(2+2)*3|2**3**2|-2**2|(-2)**2|2**-1|2**-1**2|--3|-+-3|+5|7/2|6/2|7//2|-7//2|7//-2|7.5//2|-7.5//2|1//0.1
7%3|-7%3|7%-3|-7%-3|7.5%2|-7.5%2|7.5%-2|1%0.1|-1%inf|1%inf|5%5.0|0.3%0.1|1/3|1e3|10**-2|10**20|2**100|2**126|2**127|10**40
2**1023|2**1024|9**9**9|0**0|0.0**0|0**-1|1/0|1.0/0|1%0|1//0|1%0.0|(-8)**(1/3)|(-8.0)**2|1**10**30|(-1)**(10**20+1)|0**10**30
1<2|1<2<3|1<3<2|3>2>1|1==1.0|1!=2|2<=2|2>=3|1==1==1|2**53+1==2.0**53|2**53==2.0**53|2**64>1e19|10**30<1e30|0.1+0.2==0.3
1<inf|-inf<10**30|inf==inf|(1<2)==(3<4)|(1<2)!=(4<3)|1+1<2*2|-1<0|inf|-inf|inf-inf|0*inf|inf/inf|1/inf|atan(inf)|exp(-inf)
1e308*10|-1e308*10|1e308+1e308|1e-308/1e10|exp(710)|cosh(711)|sinh(-711)|sqrt(-1)|log(0)|log(-1)|log(0.0)|log10(-5)|log2(0)
asin(2)|acos(-1.5)|sin(inf)|log(8,2)|log(100,10)|log(27,3)|log(2,0.5)|log(5,0)|log(5,-2)|log(2,10)|ln(e)|exp(1)|exp(0)
round(0.5)|round(1.5)|round(2.5)|round(-0.5)|round(-1.5)|round(2.675,2)|round(1.005,2)|round(0.15,1)|round(0.25,1)|round(0.35,1)
round(1234,-2)|round(1250,-2)|round(1350,-2)|round(-1250,-2)|round(1250.0,-2)|round(1250.5,-2)|round(1249.9,-2)|round(5,-1)
round(15,-1)|round(-15,-1)|round(99,-3)|round(501,-3)|round(1e300,2)|round(3.14159,3)|round(-3.14159,3)|round(2.5,0)
round(123.456,5)|round(1e-5,3)|round(5e-324,323)|round(12345678901234567890,-5)|round(7,3)|round(1e22)
floor(-0.5)|floor(2.7)|floor(-2.7)|ceil(2.1)|ceil(-2.1)|trunc(2.9)|trunc(-2.9)|floor(1e20)|ceil(1e300)|floor(10**30)
abs(-5)|abs(-5.5)|abs(5)|sign(-3)|sign(0)|sign(2.5)|min(3,1,2)|max(3,1,2)|min(1)|max(1.5,1)|min(1,1.0)|max(2**53,2.0**53+2)
max(10**30,1e30)|min(-inf,5)|gcd(12,18)|gcd(0,0)|gcd(0,5)|gcd(-12,18)|gcd(12,18,27)|gcd(2**100,6**40)|gcd(7)|hypot(3,4)
hypot(1,2,3)|hypot(1e200,1e200)|hypot(-5)|factorial(0)|factorial(1)|factorial(5)|factorial(20)|factorial(33)|factorial(34)
factorial(50)|factorial(100)|factorial(170)|factorial(-1)|degrees(pi)|radians(180)|atan2(1,-1)|atan2(-1,-1)|atan2(0,-1)
atan2(-0.0,-1)|sin(pi/6)|cos(pi)|tan(pi/4)|sin(1e22)|cos(1e300)|cbrt(27)|cbrt(-8)|sqrt(2)**2|e**pi|tau/2|pow(2,10)|pow(2,-2)
pow(2.5,2)|pow(0,-1)|pow(-8,0.5)|sqrt(10**30)|sqrt(1e-300)|10**18*10**18|10**19*10**19|10**19*-10**19*2|2**63|2**64-1|-2**63-1
170141183460469231731687303715884105727+1|170141183460469231731687303715884105727+0|-170141183460469231731687303715884105727-1
10**38//7|10**38%7|-10**38//7|-10**38%7|10**38/10**37|10**38/3|9007199254740993/33|(2**100+1)/3|(2**100+1)/3**60|1/(2**126-1)|-(2**126-1)/(2**70+1)|123456789**4|0.1+0.2|1.1*1.1|4.35*100|1.0-0.9|100*1.1|1e16+1
9007199254740992.0|9007199254740991.0|1e15/1|123456.789e3|5e-324|1.7976931348623157e308|0xffff_ffff|1_000_000*1_000_000
(1+2)*(3+4)/(5-6)|((((((1))))))|2*(3+(4*(5+6)))|1-2-3|2/3/4|2-3+4|100%7*3|2*3%4|-3%5*2|2**2*3|2*2**3|-2*-3|2--3|2-+3
"""


def answer(expression):
    try:
        value = eval(expression, {"__builtins__": {}}, NAMES)
    except (ZeroDivisionError, ValueError, OverflowError) as error:
        return type(error).__name__
    if isinstance(value, complex) or value != value:
        return "ValueError"
    if isinstance(value, float) and math.isinf(value):
        return "OverflowError"
    if isinstance(value, int) and abs(value) > 1.7976931348623157e308:
        return "OverflowError"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)


def fits(value):
    return not isinstance(value, int) or -LIMIT <= value < LIMIT


def expression(depth):
    """A random expression and its value, or None for the value where a part has none or does not fit."""
    if depth == 0 or random.random() < 0.15:
        text = random.choice(NUMBERS)
        return text if not text.startswith("-") else f"({text})"
    kind = random.random()
    if kind < 0.25:
        return f"{random.choice(UNARY)}({expression(depth - 1)})"
    if kind < 0.3:
        return f"{random.choice(['min', 'max'])}({expression(depth - 1)}, {expression(depth - 1)})"
    operator = random.choice(["+", "-", "*", "/", "%", "//", "+", "-", "*", "/"] + ["**"] * (depth == 1))
    left, right = expression(depth - 1), expression(depth - 1)
    return f"({left}) {operator} ({right})" if random.random() < 0.5 else f"({left} {operator} {right})"


def parts_fit(text):
    """Whether no part but the whole is a whole number beyond 128 bits, and every part has a finite value."""
    import ast

    tree = ast.parse(text, mode="eval").body
    for node in ast.walk(tree):
        if node is tree or not isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Call, ast.Compare)):
            continue
        value = answer(ast.unparse(node))
        if value.endswith("Error") or (value.lstrip("-").isdigit() and not fits(int(value))):
            return False
    return True


def main():
    random.seed(1)
    print("# Written by python.py. Do not edit.")
    for text in HAND.replace("\n", "|").split("|"):
        if text == "9**9**9":
            print("9**9**9\tOverflowError")
        elif text.startswith(("1**", "0**10", "(-1)**")):
            base = {"1": "1", "0": "0", "(": "-1"}[text[0]]
            print(f"{text}\t{answer(text) if text == '0**-1' else base}")
        elif text:
            print(f"{text}\t{answer(text)}")
    seen = set()
    while len(seen) < 300:
        text = expression(random.choice([1, 2, 2, 3]))
        if text not in seen and len(text) < 100 and parts_fit(text):
            seen.add(text)
            print(f"{text}\t{answer(text)}")


if __name__ == "__main__":
    main()
