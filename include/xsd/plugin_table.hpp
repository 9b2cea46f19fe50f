// SPDX-License-Identifier: Apache-2.0
//
// The inner part of plugin.hpp: how the table of callbacks comes from the classes. Not to be included by
// itself.
#ifndef XSD_PLUGIN_TABLE_HPP
#define XSD_PLUGIN_TABLE_HPP

namespace xsd::api::detail {

// has_NAME<T>: whether T has a public member of that name.
#define XSD_API_MEMBER(name)              \
  template <class T, class = void>        \
  struct has_##name : std::false_type {}; \
  template <class T>                      \
  struct has_##name<T, std::void_t<decltype(&T::name)>> : std::true_type {}
XSD_API_MEMBER(on_open);
XSD_API_MEMBER(on_data);
XSD_API_MEMBER(on_end);
XSD_API_MEMBER(on_writable);
XSD_API_MEMBER(on_readable);
XSD_API_MEMBER(on_urgent);
XSD_API_MEMBER(on_connected);
XSD_API_MEMBER(on_program);
XSD_API_MEMBER(on_close);
XSD_API_MEMBER(on_datagram);
XSD_API_MEMBER(on_datagrams);
XSD_API_MEMBER(description);
XSD_API_MEMBER(version);
XSD_API_MEMBER(needs);
XSD_API_MEMBER(settings);
XSD_API_MEMBER(validate);
#undef XSD_API_MEMBER

/// What a connection's data points to: a session, whose type only this knows.
struct Handler {
  Handler() = default;
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;
  virtual ~Handler() = default;
  virtual int on_open() { return 0; }
  virtual void on_data(std::string_view) {}
  virtual void on_end() {}
  virtual void on_writable() {}
  virtual void on_readable() {}
  virtual void on_urgent() {}
  virtual void on_connected(int) {}
  virtual void on_program(const ProgramEnd&) {}
  virtual void on_close(std::uint32_t) {}
};

template <class S>
struct SessionHandler final : Handler {
  template <class... Arguments>
  explicit SessionHandler(Connection given, Arguments&&... arguments)
      : connection(given), session(given, std::forward<Arguments>(arguments)...) {}

  int on_open() override {
    if constexpr (has_on_open<S>::value) return session.on_open();
    return 0;
  }
  void on_data([[maybe_unused]] std::string_view data) override {
    if constexpr (has_on_data<S>::value) session.on_data(data);
  }
  void on_end() override {
    if constexpr (has_on_end<S>::value) {
      session.on_end();
    } else {
      connection.finish();  // as the host does where no session has it
    }
  }
  void on_writable() override {
    if constexpr (has_on_writable<S>::value) session.on_writable();
  }
  void on_readable() override {
    if constexpr (has_on_readable<S>::value) session.on_readable();
  }
  void on_urgent() override {
    if constexpr (has_on_urgent<S>::value) session.on_urgent();
  }
  void on_connected([[maybe_unused]] int result) override {
    if constexpr (has_on_connected<S>::value) session.on_connected(result);
  }
  void on_program([[maybe_unused]] const ProgramEnd& end) override {
    if constexpr (has_on_program<S>::value) session.on_program(end);
  }
  void on_close([[maybe_unused]] std::uint32_t reason) override {
    if constexpr (has_on_close<S>::value) session.on_close(reason);
  }

  Connection connection;
  S session;
};

/// The state of a service.
template <class Service>
struct Running {
  explicit Running(Host given) : host(given), service(given) {}
  Host host;
  Service service;
};

template <class S, class... Arguments>
S& attach(Connection connection, Arguments&&... arguments) {
  auto handler = std::make_unique<SessionHandler<S>>(connection, std::forward<Arguments>(arguments)...);
  S& session = handler->session;
  connection.host()->set_data(connection.get(), static_cast<Handler*>(handler.release()));
  return session;
}

/// Calls `call(handler)` if there is a session; one that throws is ended.
template <class Call>
void with_session(Host host, xsd_connection* connection, const char* where, Call&& call) noexcept {
  auto* const handler = static_cast<Handler*>(host.get()->get_data(connection));
  if (handler == nullptr) return;
  if (!contain(host.get(), host.service(), where, [&] { call(*handler); })) host.get()->abort(connection);
}

template <class Service, class List>
struct Table;

template <class Service, class... S>
struct Table<Service, Sessions<S...>> {
  using State = Running<Service>;

  static Host host_of(void* state) { return static_cast<State*>(state)->host; }

  static int start(const xsd_host* host, xsd_service* service, void** state) {
    int error = 0;
    const bool made = contain(
        host, service, "start", [&] { *state = new State(Host(host, service)); }, &error);
    return made ? 0 : error;
  }
  static void stop(void* state) { delete static_cast<State*>(state); }
  static void validate(const xsd_host* host, const xsd_node* settings, xsd_report* report) {
    try {
      Service::validate(Node(host, settings), Report(host, report));
    } catch (const std::exception& failure) {
      host->report(report, nullptr, failure.what());
    } catch (...) {  // the caller is C
      host->report(report, nullptr, "an exception that is no std::exception");
    }
  }

  template <class Client, class...>
  struct First {
    using type = Client;
  };
  static int on_open(void* state, xsd_connection* connection) {
    using Client = typename First<S...>::type;
    const Host host = host_of(state);
    int error = 0;
    int answer = 0;
    const bool made = contain(
        host.get(), host.service(), "on_open",
        [&] {
          attach<Client>(Connection(host.get(), connection), static_cast<State*>(state)->service);
          answer = static_cast<Handler*>(host.get()->get_data(connection))->on_open();
        },
        &error);
    if (made && answer == 0) return 0;
    // There is no on_close for it.
    delete static_cast<Handler*>(host.get()->get_data(connection));
    host.get()->set_data(connection, nullptr);
    return made ? answer : error;
  }
  static void on_data(void* state, xsd_connection* c, const void* data, std::size_t length) {
    with_session(host_of(state), c, "on_data", [&](Handler& to) {
      to.on_data({static_cast<const char*>(data), length});
    });
  }
  static void on_end(void* state, xsd_connection* c) {
    with_session(host_of(state), c, "on_end", [](Handler& to) { to.on_end(); });
  }
  static void on_writable(void* state, xsd_connection* c) {
    with_session(host_of(state), c, "on_writable", [](Handler& to) { to.on_writable(); });
  }
  static void on_readable(void* state, xsd_connection* c) {
    with_session(host_of(state), c, "on_readable", [](Handler& to) { to.on_readable(); });
  }
  static void on_urgent(void* state, xsd_connection* c) {
    with_session(host_of(state), c, "on_urgent", [](Handler& to) { to.on_urgent(); });
  }
  static void on_connected(void* state, xsd_connection* c, int result) {
    with_session(host_of(state), c, "on_connected", [&](Handler& to) { to.on_connected(result); });
  }
  static void on_program(void* state, xsd_connection* c, int error, int exit_status, int signal) {
    with_session(host_of(state), c, "on_program", [&](Handler& to) {
      to.on_program({error, exit_status, signal});
    });
  }
  static void on_close(void* state, xsd_connection* c, std::uint32_t reason) {
    with_session(host_of(state), c, "on_close", [&](Handler& to) { to.on_close(reason); });
    delete static_cast<Handler*>(host_of(state).get()->get_data(c));
  }
  static void on_datagram(void* state, xsd_datagram* datagram, const void*, std::size_t) {
    const Host host = host_of(state);
    contain(host.get(), host.service(), "on_datagram",
            [&] { static_cast<State*>(state)->service.on_datagram(Datagram(host.get(), datagram)); });
  }
  static void on_datagrams(void* state, xsd_datagram* const* datagrams, std::size_t count) {
    const Host host = host_of(state);
    contain(host.get(), host.service(), "on_datagrams", [&] {
      static_cast<State*>(state)->service.on_datagrams(Datagrams(host.get(), datagrams, count));
    });
  }

  static constexpr xsd_plugin make(const char* name) {
    static_assert((has_on_readable<S>::value && ...) || !(has_on_readable<S>::value || ...),
                  "on_readable is of all sessions of a plugin, or of none");
    xsd_plugin table{};
    table.size = static_cast<std::uint32_t>(sizeof table);
    table.api_version = XSD_PLUGIN_API_VERSION;
    table.name = name;
    table.description = "";
    if constexpr (has_description<Service>::value) table.description = Service::description;
    if constexpr (has_version<Service>::value) table.version = Service::version;
    if constexpr (has_needs<Service>::value) table.needs = Service::needs;
    if constexpr (has_settings<Service>::value) {
      table.setting_count = static_cast<std::uint32_t>(std::extent_v<decltype(Service::settings)>);
      table.setting_size = static_cast<std::uint32_t>(sizeof(xsd_setting));
      table.settings = Service::settings;
    }
    if constexpr (has_validate<Service>::value) table.validate = validate;
    table.start = start;
    table.stop = stop;
    if constexpr (sizeof...(S) > 0) {
      table.on_open = on_open;
      table.on_close = on_close;
    }
    if constexpr ((has_on_data<S>::value || ...)) table.on_data = on_data;
    if constexpr ((has_on_end<S>::value || ...)) table.on_end = on_end;
    if constexpr ((has_on_writable<S>::value || ...)) table.on_writable = on_writable;
    if constexpr ((has_on_readable<S>::value || ...)) table.on_readable = on_readable;
    if constexpr ((has_on_urgent<S>::value || ...)) table.on_urgent = on_urgent;
    if constexpr ((has_on_connected<S>::value || ...)) table.on_connected = on_connected;
    if constexpr ((has_on_program<S>::value || ...)) table.on_program = on_program;
    if constexpr (has_on_datagram<Service>::value) table.on_datagram = on_datagram;
    if constexpr (has_on_datagrams<Service>::value) table.on_datagrams = on_datagrams;
    return table;
  }
};

template <class Service, class = void>
struct SessionsOf {
  using type = Sessions<>;
};
template <class Service>
struct SessionsOf<Service, std::void_t<typename Service::Sessions>> {
  using type = typename Service::Sessions;
};

/// Gives a new connection its session, or ends it.
template <class S, class... Arguments>
S& attach_new(Connection connection, Arguments&&... arguments) {
  try {
    return attach<S>(connection, std::forward<Arguments>(arguments)...);
  } catch (...) {  // handed on
    connection.abort();
    throw;
  }
}

}  // namespace xsd::api::detail

namespace xsd::api {

template <class S, class... Arguments>
S& Host::connect(const std::string& address, std::uint16_t port, Arguments&&... arguments) const {
  xsd_connection* made = nullptr;
  if (const int result = host_->connect(service_, address.c_str(), port, &made); result != 0)
    throw std::system_error(-result, std::generic_category(), "connect to " + address);
  return detail::attach_new<S>(Connection(host_, made), std::forward<Arguments>(arguments)...);
}

template <class S, class... Arguments>
S& Host::start_program(const std::string& program, const std::vector<std::string>& environment,
                       const std::string& directory, Arguments&&... arguments) const {
  std::vector<const char*> texts;
  texts.reserve(environment.size());
  for (const std::string& text : environment)
    texts.push_back(text.c_str());
  xsd_connection* made = nullptr;
  const int result = host_->start_program(service_, program.c_str(), texts.data(), texts.size(),
                                          directory.empty() ? nullptr : directory.c_str(), &made);
  if (result != 0) throw std::system_error(-result, std::generic_category(), "start " + program);
  return detail::attach_new<S>(Connection(host_, made), std::forward<Arguments>(arguments)...);
}

}  // namespace xsd::api

/// Makes a plugin of the class, which must be complete here. At namespace scope, once in a library.
#define XSD_PLUGIN(name, Service)                                                                          \
  static constexpr xsd_plugin xsd_table_of_##name =                                                        \
      xsd::api::detail::Table<Service, typename xsd::api::detail::SessionsOf<Service>::type>::make(#name); \
  extern "C" {                                                                                             \
  XSD_PLUGIN_REGISTER(name, xsd_table_of_##name)                                                           \
  }

#endif  // XSD_PLUGIN_TABLE_HPP
