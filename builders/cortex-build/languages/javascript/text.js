// UTF-8, which the engine knows only inside of strings.
export class TextEncoder {
  encoding = "utf-8";
  encode(text = "") {
    const escaped = encodeURIComponent(String(text).toWellFormed());
    const bytes = [];
    for (let i = 0; i < escaped.length; i++) {
      if (escaped[i] === "%") {
        bytes.push(parseInt(escaped.slice(i + 1, i + 3), 16));
        i += 2;
      } else {
        bytes.push(escaped.charCodeAt(i));
      }
    }
    return new Uint8Array(bytes);
  }
}

export class TextDecoder {
  encoding = "utf-8";
  constructor(label = "utf-8") {
    if (!/^utf-?8$/i.test(label)) throw new RangeError(`the encoding "${label}" is not supported`);
  }
  decode(input = new Uint8Array()) {
    const bytes = ArrayBuffer.isView(input)
      ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
      : new Uint8Array(input);
    let text = "";
    for (let i = 0; i < bytes.length; ) {
      const first = bytes[i];
      const length = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : (first & 0xf0) === 0xe0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
      let code = length === 1 ? first : first & (0xff >> (length + 1));
      let read = 1;
      while (read < length && (bytes[i + read] & 0xc0) === 0x80) code = (code << 6) | (bytes[i + read++] & 0x3f);
      const least = [0, 0, 0x80, 0x800, 0x10000][length];
      const valid = length > 0 && read === length && code >= least && code < 0x110000 && (code & 0x1ff800) !== 0xd800;
      text += valid ? String.fromCodePoint(code) : "\ufffd";
      i += read;
    }
    return text;
  }
}
