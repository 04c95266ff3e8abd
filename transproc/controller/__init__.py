# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The controller: a service that manages jobs for several users, over HTTPS, and the client that talks to it.

requests/        what can be asked for, by name: the command line performs it here, or lets a controller do so
client/          performs requests at a controller
service.py       what a controller is made of: records, tasks, tokens, events
tasks.py         requests that are under way, many at once
app.py, api/     the HTTP interface
server.py        the process: TLS, signals, a graceful stop
web/             the web page
"""
