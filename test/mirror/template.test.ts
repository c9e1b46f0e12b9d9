import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

/** Long forms of CloudFormation's functions only, so that it is plain YAML. */
type Value = string | number | boolean | null | readonly Value[] | { readonly [key: string]: Value };
type Table = { readonly [key: string]: Value };

const template = tableOf(
  parse(readFileSync(new URL('../../deploy/mirror.yaml', import.meta.url), 'utf8')) as Value,
);
const resources = tableOf(template['Resources']);

/** What each kind of resource has beside its name; what is not here may not be asked for. */
const ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  'AWS::S3::Bucket': ['Arn', 'RegionalDomainName'],
  'AWS::IAM::Role': ['Arn'],
  'AWS::Logs::LogGroup': ['Arn'],
  'AWS::Lambda::Function': ['Arn'],
  'AWS::Lambda::Url': ['FunctionUrl'],
  'AWS::CloudFront::Distribution': ['DomainName', 'Id'],
  'AWS::CloudFront::OriginAccessControl': ['Id'],
  'AWS::CloudFront::CachePolicy': ['Id'],
};
const PSEUDO = new Set(['AWS::AccountId', 'AWS::NoValue', 'AWS::Partition', 'AWS::Region', 'AWS::StackName']);

function tableOf(value: Value | undefined): Table {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('is no map');
  return value as Table;
}

function at(value: Value | undefined, ...path: readonly (string | number)[]): Value | undefined {
  let found = value;
  for (const step of path)
    found = Array.isArray(found) ? (found[Number(step)] as Value) : tableOf(found)[String(step)];
  return found;
}

/** All maps in a value, itself included. */
function* maps(value: Value): Generator<Table> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield tableOf(value);
  for (const inner of Object.values(value)) yield* maps(inner as Value);
}

/** Names that a map refers to: `Name`, or `Name.Attribute`. */
function referencesOf(map: Table): string[] {
  const [ref, getAtt, sub] = [map['Ref'], map['Fn::GetAtt'], map['Fn::Sub']];
  return [
    ...(typeof ref === 'string' ? [ref] : []),
    ...(Array.isArray(getAtt) ? [getAtt.join('.')] : []),
    ...(typeof sub === 'string' ? [...sub.matchAll(/\$\{([^}]+)\}/g)].map(([, name = '']) => name) : []),
  ];
}

function statementsOf(name: string, ...path: readonly (string | number)[]): Table[] {
  const found = at(resources[name], 'Properties', ...path);
  if (!Array.isArray(found)) throw new TypeError('is no list');
  return found.map((each) => tableOf(each as Value));
}

describe('deploy/mirror.yaml', () => {
  it('refers to nothing that is not there', () => {
    const known = new Set([
      ...Object.keys(tableOf(template['Parameters'])),
      ...Object.keys(resources),
      ...PSEUDO,
      ...Object.entries(resources).flatMap(([name, resource]) =>
        (ATTRIBUTES[JSON.stringify(at(resource, 'Type')).slice(1, -1)] ?? []).map(
          (attribute) => `${name}.${attribute}`,
        ),
      ),
    ]);
    const references = [...maps(template)].flatMap(referencesOf);
    expect(references.length).toBeGreaterThan(30);
    expect(references.filter((name) => !known.has(name))).toEqual([]);
  });

  it('uses each parameter and each condition, and no other condition', () => {
    const references = new Set([...maps(template)].flatMap(referencesOf));
    const parameters = Object.keys(tableOf(template['Parameters']));
    expect(parameters.filter((name) => !references.has(name))).toEqual([]);
    const conditions = Object.keys(tableOf(template['Conditions']));
    const used = [...maps(template)].flatMap((map) => [
      ...(typeof map['Condition'] === 'string' ? [map['Condition']] : []),
      ...(Array.isArray(map['Fn::If']) ? [JSON.stringify(map['Fn::If'][0]).slice(1, -1)] : []),
    ]);
    expect(new Set(used)).toEqual(new Set(conditions));
  });

  it('makes no ring of its resources', () => {
    const edges = new Map(
      Object.entries(resources).map(([name, resource]) => [
        name,
        [...maps(resource)].flatMap(referencesOf).map((reference) => reference.split('.', 1)[0] ?? ''),
      ]),
    );
    const done = new Set<string>();
    const visit = (name: string, way: readonly string[]): void => {
      if (way.includes(name)) throw new Error(`a ring: ${[...way, name].join(' > ')}`);
      if (done.has(name)) return;
      for (const next of edges.get(name) ?? []) visit(next, [...way, name]);
      done.add(name);
    };
    for (const name of edges.keys()) visit(name, []);
    expect(done.size).toBeGreaterThanOrEqual(Object.keys(resources).length);
  });

  it('keeps the bucket private, and when the stack goes', () => {
    expect(resources['Bucket']).toMatchObject({
      DeletionPolicy: 'Retain',
      Properties: {
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
      },
    });
    expect(at(resources['Bucket'], 'Properties', 'LifecycleConfiguration', 'Rules', 0)).toMatchObject({
      Status: 'Enabled',
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
    });
  });

  it('lets CloudFront alone read and list it, so that what is missing is 404', () => {
    const allowed = statementsOf('BucketPolicy', 'PolicyDocument', 'Statement').filter(
      ({ Effect }) => Effect === 'Allow',
    );
    expect(allowed.map(({ Action }) => Action)).toEqual(['s3:GetObject', 's3:ListBucket']);
    for (const statement of allowed)
      expect(statement).toMatchObject({
        Principal: { Service: 'cloudfront.amazonaws.com' },
        Condition: { StringEquals: { 'AWS:SourceArn': expect.anything() as unknown } },
      });
  });

  it('lets the function do with this bucket what it needs, and nothing else', () => {
    const statements = statementsOf('Role', 'Policies', 0, 'PolicyDocument', 'Statement');
    expect(statements).toEqual([
      {
        Effect: 'Allow',
        Action: ['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload'],
        Resource: { 'Fn::Sub': '${Bucket.Arn}/*' },
      },
      {
        Effect: 'Allow',
        Action: ['s3:ListBucket', 's3:ListBucketMultipartUploads'],
        Resource: { 'Fn::GetAtt': ['Bucket', 'Arn'] },
      },
    ]);
  });

  it('gives both permissions that a function URL asks for, signed or open', () => {
    const permissions = Object.values(resources)
      .map(tableOf)
      .filter(({ Type }) => Type === 'AWS::Lambda::Permission')
      .map((each) => ({ condition: each['Condition'], ...tableOf(each['Properties']) }));
    for (const [condition, principal] of [
      ['IsSigned', 'cloudfront.amazonaws.com'],
      ['IsOpen', '*'],
    ]) {
      const own = permissions.filter((each) => each.condition === condition);
      expect(own).toMatchObject([
        {
          Action: 'lambda:InvokeFunctionUrl',
          Principal: principal,
          FunctionUrlAuthType: expect.anything() as unknown,
        },
        { Action: 'lambda:InvokeFunction', Principal: principal, InvokedViaFunctionUrl: true },
      ]);
      for (const each of own) expect('SourceArn' in each).toBe(condition === 'IsSigned');
    }
  });

  it('asks the function where the bucket says 403 or 404, for requests that fail over, and keeps no redirect', () => {
    const config = at(resources['Distribution'], 'Properties', 'DistributionConfig');
    expect(at(config, 'OriginGroups', 'Items', 0)).toMatchObject({
      FailoverCriteria: { StatusCodes: { Quantity: 2, Items: [403, 404] } },
      Members: { Quantity: 2, Items: [{ OriginId: 'bucket' }, { OriginId: 'function' }] },
    });
    const behavior = tableOf(at(config, 'DefaultCacheBehavior'));
    expect(behavior).toMatchObject({
      TargetOriginId: at(config, 'OriginGroups', 'Items', 0, 'Id'),
      AllowedMethods: ['GET', 'HEAD', 'OPTIONS'],
      CachePolicyId: { Ref: 'CachePolicy' },
    });
    expect(behavior).not.toHaveProperty('OriginRequestPolicyId');
    const origins = at(config, 'Origins') as readonly Table[];
    expect(origins.map(({ Id }) => Id)).toEqual(['bucket', 'function']);
    const policy = at(resources['CachePolicy'], 'Properties', 'CachePolicyConfig');
    expect(at(policy, 'MinTTL')).toBe(0);
    expect(at(policy, 'ParametersInCacheKeyAndForwardedToOrigin', 'HeadersConfig', 'HeaderBehavior')).toBe(
      'none',
    );
    for (const each of at(config, 'CustomErrorResponses') as readonly Table[])
      expect(each['ErrorCachingMinTTL']).toBe(0);
  });
});
