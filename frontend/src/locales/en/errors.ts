export default {
  network: 'The server cannot be reached. Check the connection, then try again.',
  timeout: 'The server did not answer in time. Try again.',
  page: 'Something in this page went wrong: {reason}. Reload the page; if it happens again, tell an admin.',
  retryAfter: 'Try again in {n} s.',
  bootTitle: 'SAC is not answering',
};
