import { Marked, type Tokens } from "marked";

interface Args {
  markdown: string;
  allow_html: boolean;
}

interface Heading {
  level: number;
  text: string;
  id: string;
}

const escape = (text: string) =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** As GitHub names its headings: lower case, words joined by hyphens. */
const anchor = (text: string) =>
  text.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").trim().replace(/\s/g, "-");

/** Links that run something in the reader's browser are shown and lead nowhere. */
const harmless = (href: string) => {
  const scheme = /^\s*([a-z][a-z0-9+.-]*):/i.exec(href.replace(/[\u0000-\u0020]/g, ""))?.[1]?.toLowerCase();
  return scheme === undefined || ["http", "https", "mailto", "tel", "ftp"].includes(scheme);
};

export default ({ markdown, allow_html }: Args) => {
  const headings: Heading[] = [];
  const seen = new Map<string, number>();
  const marked = new Marked({
    gfm: true,
    walkTokens(token) {
      if ((token.type === "link" || token.type === "image") && !allow_html && !harmless((token as Tokens.Link).href)) {
        token.href = "";
      }
    },
    renderer: {
      heading({ tokens, depth, text }) {
        const count = seen.get(anchor(text)) ?? 0;
        seen.set(anchor(text), count + 1);
        const id = count ? `${anchor(text)}-${count}` : anchor(text);
        headings.push({ level: depth, text, id });
        return `<h${depth} id="${escape(id)}">${this.parser.parseInline(tokens)}</h${depth}>\n`;
      },
      html({ text }) {
        return allow_html ? text : escape(text);
      },
    },
  });
  return { html: marked.parse(markdown, { async: false }), headings };
};
