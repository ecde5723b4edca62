// Portkey's gateway has no option for the address it listens on; what is measured here is for this machine alone.
const { Server } = require("node:net");

const listen = Server.prototype.listen;
Server.prototype.listen = function (port, hostname, ...rest) {
  return listen.call(this, port, hostname ?? "127.0.0.1", ...rest);
};
