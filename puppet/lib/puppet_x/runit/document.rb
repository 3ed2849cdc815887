# frozen_string_literal: true

require 'json'

module PuppetX; end unless defined?(PuppetX)
module PuppetX::Runit; end unless defined?(PuppetX::Runit)

# The data file of one host: the class's hash, with what `runit::user` and `runit::service` add to it.
#
# The same data always gives the same bytes, whatever order it was declared in, so that nothing but a change of the data changes the
# file. A secret keeps its mark, in Puppet's own representation of rich data: {"__ptype": "Sensitive", "__pvalue": ...}.
class PuppetX::Runit::Document
  # Two resources say different things of the same key.
  class Conflict < StandardError; end

  def initialize(data, origin)
    @root = {}
    @origins = {}
    @added = {}
    @first = origin
    add([], data, origin)
    @declared = @root.fetch('services', {})&.keys || []
  end

  # Add `value` below the keys `path`; `origin` names the resource that says so.
  def add(path, value, origin)
    @text = nil
    @added[path] = origin
    wrapped = path.reverse.inject(value) { |inner, key| { key => inner } }
    merge(@root, by_name(plain(wrapped)), [], origin)
  end

  # Raise Conflict for what was added to a tree of the host's that nobody declares, and that is called as one of the data's users, or
  # as somebody of whom the block says that there is such an account: they have trees of their own.
  def refuse_misplaced
    @added.each do |path, origin|
      tree, *names = path.each_slice(2).map { |key, name| name if key == 'services' }
      next if names.empty? || tree.nil? || @added.key?(path.first(2)) || @declared.include?(tree)
      next unless @root.fetch('users', {}).key?(tree) || yield(tree)

      raise Conflict, "#{origin}: there is no service #{tree} whose tree it could be in, only a user of that name: make it a " \
                      "runit::user::service { '#{[tree, *names].join('/')}': }, or declare the tree, runit::service { '#{tree}': }"
    end
  end

  # Which resource says what stands at a key, written with dots; nil for what the class says, and for no key at all.
  def origin(key)
    said = @origins.transform_keys { |path| path.join('.') }
    found = said.keys.select { |path| key == path || key&.start_with?("#{path}.") }.max_by(&:size)
    said[found] unless said[found] == @first
  end

  # The accounts that the data speaks of: the users, and those that services run as.
  def accounts
    users = @root.fetch('users', {})
    names = users.map { |name, user| (user || {})['account'] || name }
    [@root['owner'], *names, *owners(@root), *users.values.compact.flat_map { |user| owners(user) }].compact.uniq
  end

  # The same without the users and services of some accounts.
  def without(accounts)
    return self if accounts.empty?

    left = self.class.new({}, @first)
    left.add([], kept(@root, accounts), @first)
    left
  end

  # The keys that lead to each service, by its name: a user's tree is one of the host's.
  def services
    @root.fetch('users', {}).each_with_object(below(@root, [], '')) do |(name, user), all|
      all["runsvdir-#{name}"] = ['users', name]
      all.merge!(below(user || {}, ['users', name], "#{name}/"))
    end
  end

  # The names of the services that one waits for: those that it requires, and those that it is in the tree of.
  def before(service)
    keys = services[service]
    return [] unless keys

    tree = service.rpartition('/').first
    requires = keys.last(2).first == 'services' ? forms(@root.dig(*keys)).flat_map { |form| Array(form['requires']) } : []
    named = requires.map { |word| id(word.to_s, tree) }
    trees = keys.first == 'users' && keys.size > 2 ? ["runsvdir-#{keys[1]}", tree] : [tree]
    [*trees, *named] & services.keys
  end

  # The file's text. What is deferred is asked for here, once: when it is the file's turn, and not before.
  def to_s
    @text ||= "#{JSON.pretty_generate(sorted(plain(resolved('runit' => @root))))}\n"
  end

  private

  # What YAML and JSON can say, and what is deferred; a secret as a hash that says so.
  def plain(value)
    case value
    when ->(hash) { hash.is_a?(Hash) && hash['__ptype'] == 'Sensitive' } then secret(plain(value['__pvalue']))
    when Hash then value.to_h { |key, item| [key.to_s, plain(item)] }
    when Array then value.map { |item| plain(item) }
    when Puppet::Pops::Types::PSensitiveType::Sensitive then secret(plain(value.unwrap))
    when :undef then nil
    else value
    end
  end

  # A secret of a secret is one, as when what is deferred turns out to be one.
  def secret(value)
    value.is_a?(Hash) && value.key?('__ptype') ? value : { '__ptype' => 'Sensitive', '__pvalue' => value }
  end

  def resolved(value)
    case value
    when Hash then value.transform_values { |item| resolved(item) }
    when Array then value.map { |item| resolved(item) }
    when Puppet::Pops::Evaluator::DeferredValue then hidden(resolved(value.resolve))
    else value
    end
  end

  # Puppet 8 takes the mark off what it fetches, so all of that counts as secret.
  def hidden(value)
    case value
    when Hash then value['__ptype'] ? value : value.transform_values { |item| hidden(item) }
    when Array then value.map { |item| hidden(item) }
    when String, Numeric then secret(value)
    else value
    end
  end

  # A list of users is a hash of users of whom nothing more is said.
  def by_name(data)
    users = data['users']
    return data unless users.is_a?(Array)

    data.merge('users' => users.to_h { |name| [name, {}] })
  end

  def merge(into, from, path, origin)
    from.each do |key, value|
      here = path + [key]
      if mergeable?(into[key]) && mergeable?(value)
        merge(into[key], value, here, origin)
      elsif into[key].nil? || into[key] == value
        note(here, value, origin)
        into[key] = value.is_a?(Hash) ? copy(value) : value
      elsif !value.nil?
        raise Conflict, "#{here.join('.')} is declared by #{@origins[here] || 'the class'} and, differently, by #{origin}"
      end
    end
  end

  def mergeable?(value)
    value.is_a?(Hash) && !value.key?('__ptype')
  end

  def copy(value)
    mergeable?(value) ? value.transform_values { |item| copy(item) } : value
  end

  def note(path, value, origin)
    @origins[path] = origin
    value.each { |key, item| note(path + [key], item, origin) } if mergeable?(value)
  end

  def below(tree, keys, prefix)
    (tree['services'] || {}).each_with_object({}) do |(name, service), all|
      here = [*keys, 'services', name]
      all["#{prefix}#{name}"] = here
      all.merge!(below(service || {}, here, "#{prefix}#{name}/"))
    end
  end

  def kept(tree, accounts)
    users = tree['users']&.reject { |name, user| accounts.include?((user || {})['account'] || name) }
    services = tree['services']&.reject { |_, service| forms(service).any? { |form| accounts.include?(form['user']) } }
    here = { 'users' => users, 'services' => services }.compact
    tree.merge(here.transform_values { |items| items.transform_values { |item| item && kept(item, accounts) } })
  end

  # A name is one of the same tree; with a slash it is an id, after a slash a service of the host.
  def id(word, tree)
    return word.delete_prefix('/') if word.include?('/')

    tree.empty? ? word : "#{tree}/#{word}"
  end

  def owners(tree)
    all = (tree['services'] || {}).values.flat_map { |service| forms(service) }
    all.flat_map { |form| [form['user'], *owners(form)] }
  end

  # What a service says, and what those of its instances say that differ.
  def forms(service)
    instances = (service || {})['instances']
    [service, *(instances.is_a?(Hash) ? instances.values : [])].compact
  end

  def sorted(value)
    case value
    when Hash then value.sort.to_h { |key, item| [key, sorted(item)] }
    when Array then value.map { |item| sorted(item) }
    else value
    end
  end
end
