/** The body of a message as a Ceph 16.2 writes it: keys as they are, names without `s3:`. */
export function cephRecord(told: CephEvent): string {
  return JSON.stringify({ Records: [record(told)] });
}

/** One message that tells of several things. */
export function cephRecords(all: readonly CephEvent[]): string {
  return JSON.stringify({ Records: all.map(record) });
}

export interface CephEvent {
  /** `ObjectCreated:Put`, `ObjectRemoved:Delete`, … */
  readonly event: string;
  readonly bucket: string;
  readonly key: string;
  /** Default: now. */
  readonly time?: Date;
}

function record({ event, bucket, key, time = new Date() }: CephEvent) {
  return {
    eventVersion: '2.2',
    eventSource: 'ceph:s3',
    awsRegion: '',
    eventTime: time.toISOString(),
    eventName: event,
    userIdentity: { principalId: 'isync' },
    requestParameters: { sourceIPAddress: '' },
    responseElements: { 'x-amz-request-id': '1', 'x-amz-id-2': '1-default-default' },
    s3: {
      s3SchemaVersion: '1.0',
      configurationId: 'bridge',
      bucket: {
        name: bucket,
        ownerIdentity: { principalId: 'isync' },
        arn: `arn:aws:s3:::${bucket}`,
        id: '1',
      },
      object: {
        key,
        size: 0,
        eTag: '',
        versionId: '',
        sequencer: '9CA4076B36E1BC1C',
        metadata: [],
        tags: [],
      },
    },
    eventId: '1795663004.482140.',
    opaqueData: '',
  };
}
