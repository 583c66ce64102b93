// Every call of healthchecks-io-client, told what to do by its arguments; prints what it was answered as JSON.
import library from 'healthchecks-io-client';

const { HealthChecksApiClient, HealthChecksPingClient } = library;
const [baseUrl, apiKey, readOnlyKey, version] = process.argv.slice(2);
const apiVersion = Number(version);
const api = new HealthChecksApiClient({ apiKey, baseUrl, apiVersion });
const looking = new HealthChecksApiClient({ apiKey: readOnlyKey, baseUrl, apiVersion });

// What a call that is refused says.
async function refusal(call) {
  try {
    await call();
    return null;
  } catch (error) {
    return { name: error.name, status: error.statusCode };
  }
}

const said = {};
const name = `By node ${version}`;
const tags = `node node${version}`;
said.made = await api.createCheck({ name, tags, timeout: 600, channels: '*' });
said.again = await api.createCheck({ name, tags, timeout: 600, desc: 'again', unique: ['name'] });
const uuid = said.made.ping_url.split('/').pop();
said.cron = await api.createCheck({ name: `Node cron ${version}`, schedule: '30 3 * * *', tz: 'Europe/Madrid' });
said.changed = await api.updateCheck(uuid, { desc: 'new', grace: 120 });
said.listed = await api.getChecks([`node${version}`]);
said.shown = await api.getCheck(uuid);

const job = new HealthChecksPingClient({ uuid, baseUrl: `${baseUrl}/ping`, returnResponse: true });
said.pinged = [await job.start(), await job.success('done'), await job.success(), await job.fail('no room'),
  await job.fail()];
said.pings = await api.listPings(uuid);
said.flips = await api.listFlips(uuid, { seconds: 3600 });
said.integrations = await api.getIntegrations();
said.paused = await api.pauseCheck(uuid);
said.looked = await looking.getChecks([`node${version}`]);
said.looked_at = await looking.getCheck(said.looked.checks[0].unique_key);
said.refused = await refusal(() => looking.pauseCheck(uuid));
said.deleted = await api.deleteCheck(uuid);
said.gone = await refusal(() => api.getCheck(uuid));
said.pinged_gone = await refusal(() => job.success());
console.log(JSON.stringify(said));
