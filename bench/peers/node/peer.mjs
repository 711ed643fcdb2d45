// The SDK for JavaScript as a peer of the benchmarks: N objects or keys, 64 sockets.
import { Agent } from "node:http";
import { DynamoDBClient, BatchGetItemCommand } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand, HeadObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { NodeHttpHandler } from "@smithy/node-http-handler";

const [operation, container, prefix, countText, inFlightText, roundsText] = process.argv.slice(2);
const [count, inFlight, rounds] = [countText, inFlightText, roundsText].map(Number);
const requestHandler = new NodeHttpHandler({
  httpAgent: new Agent({ keepAlive: true, maxSockets: inFlight }),
  socketAcquisitionWarningTimeout: 60_000,
});
const keys = Array.from({ length: count }, (_, i) => `${prefix}/F-unumIndex-${i}-output`);

function s3Work() {
  const client = new S3Client({ forcePathStyle: true, requestHandler });
  return keys.map((key) => async () => {
    const input = { Bucket: container, Key: key + ".json" };
    if (operation === "s3-head") return client.send(new HeadObjectCommand(input));
    const answer = await client.send(new GetObjectCommand(input));
    return answer.Body.transformToByteArray();
  });
}

function dynamodbWork() {
  const client = new DynamoDBClient({ requestHandler });
  const work = [];
  for (let i = 0; i < keys.length; i += 100) {
    const part = keys.slice(i, i + 100).map((key) => ({ Name: { S: key } }));
    work.push(async () => {
      const RequestItems = { [container]: { Keys: part, ConsistentRead: true } };
      const answer = await client.send(new BatchGetItemCommand({ RequestItems }));
      if (answer.Responses[container].length !== part.length) throw new Error("a value is missing");
    });
  }
  return work;
}

const work = operation === "dynamodb-batch" ? dynamodbWork() : s3Work();
async function once() {
  let next = 0;
  const lane = async () => {
    while (next < work.length) await work[next++]();
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, work.length) }, lane));
}

await once();
const cpu = process.cpuUsage();
const wall = process.hrtime.bigint();
for (let round = 0; round < rounds; ++round) await once();
const used = process.cpuUsage(cpu);
const requests = work.length * rounds;
console.log(JSON.stringify({
  cpu_us: (used.user + used.system) / requests,
  wall_us: Number(process.hrtime.bigint() - wall) / 1000 / requests,
}));
process.exit(0);
