import { isAlias, isCollection, isNode, visit, type Document } from 'yaml';

/** How a tag begins that is written with "!!". */
const YAML_ORG = 'tag:yaml.org,2002:';
/** What a tag may say; the text of a scalar is taken as it is in any case. */
const TAGS: ReadonlySet<string> = new Set(['!', `${YAML_ORG}str`, `${YAML_ORG}map`, `${YAML_ORG}seq`]);

/** What YAML has and a config file may not have. */
export interface Refusal {
  /** Offset in the text. */
  readonly start: number;
  readonly reason: string;
}

/**
 * Returns the first of what YAML has and a config file may not have: values of types that JSON lacks, maps and lists as keys,
 * and an alias within what it stands for, which has no end.
 */
export function firstRefusal(document: Document.Parsed): Refusal | undefined {
  const found: Refusal[] = [];
  const refuse = (node: unknown, reason: string): void => {
    found.push({ start: (isNode(node) ? node.range?.[0] : undefined) ?? 0, reason });
  };
  visit(document, {
    Alias(_, alias, parents) {
      const target = alias.resolve(document);
      if (target !== undefined && parents.includes(target))
        refuse(alias, 'an alias stands within what it is an alias of');
    },
    Pair(_, { key }) {
      const named = isAlias(key) ? key.resolve(document) : key;
      if (isCollection(named)) refuse(key, 'a map or list is a key; a template like {{ NAME }} needs quotes');
    },
    Value(_, node) {
      if (node.tag !== undefined && !TAGS.has(node.tag))
        refuse(node, `a value of the type ${node.tag.replace(YAML_ORG, '!!')} is not taken`);
    },
  });
  return found[0];
}
