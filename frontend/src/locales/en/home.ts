export default {
  title: 'Agents',
  pickTitle: 'No agent is open',
  pick: 'Choose one on the left, or press {key} to search.',
  notFoundTitle: 'Page not found',
  notFound: 'There is nothing at this address, or you may not see it.',
  toAgents: 'Go to your agents',
};
