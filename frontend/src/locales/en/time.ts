export default {
  seconds: '{n} s',
  minutes: '{n} min',
  hours: '{n} h',
  days: '{n} d',
  now: 'now',
  minutesAgo: '{n} min ago',
  hoursAgo: '{n} h ago',
  yesterday: 'yesterday',
  daysAgo: '{n} days ago',
};
