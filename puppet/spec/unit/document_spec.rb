# frozen_string_literal: true

require 'spec_helper'
require 'puppet_x/runit/document'

describe PuppetX::Runit::Document do
  def document(data = {})
    described_class.new(data, 'Class[Runit]')
  end

  def secret(value)
    Puppet::Pops::Types::PSensitiveType::Sensitive.new(value)
  end

  def read(document)
    JSON.parse(document.to_s).fetch('runit')
  end

  it 'gives the same bytes whatever order things were declared in' do
    one = document('b' => 1, 'a' => { 'd' => 2, 'c' => 3 })
    other = document('a' => { 'c' => 3 })
    other.add(['a'], { 'd' => 2 }, 'X')
    other.add([], { 'b' => 1 }, 'Y')
    expect(one.to_s).to eq(other.to_s)
  end

  it 'makes a list of users a hash that others add to' do
    all = document('users' => %w[apprun1 apprun2])
    all.add(%w[users apprun1 services web], { 'down' => true }, 'X')
    expect(read(all)).to eq('users' => { 'apprun1' => { 'services' => { 'web' => { 'down' => true } } }, 'apprun2' => {} })
  end

  it 'knows who says what stands at a key' do
    all = document('services' => { 'web' => { 'env' => { 'A' => 'b' } } })
    all.add(%w[services web], { 'user' => 'www', 'limits' => { 'files' => 5 } }, 'Runit::Service[web]')
    expect(%w[services.web.limits.files services.web.user.x services.web.env.A nowhere].map { |key| all.origin(key) })
      .to eq(['Runit::Service[web]', 'Runit::Service[web]', nil, nil])
    expect(all.origin(nil)).to be_nil
  end

  it 'is another without what belongs to some accounts' do
    all = document('users' => { 'a' => { 'account' => 'login', 'services' => { 's' => nil } }, 'b' => { 'services' => { 't' => {} } } },
                   'services' => { 'web' => { 'user' => 'www' }, 'cluster' => { 'services' => { 'node' => { 'user' => 'login' } } } }, 'purge' => true)
    left = all.without(%w[login www])
    expect(read(left)).to eq('users' => { 'b' => { 'services' => { 't' => {} } } }, 'services' => { 'cluster' => { 'services' => {} } },
                             'purge' => true)
    expect(all.services.keys - left.services.keys).to eq(%w[web cluster/node runsvdir-a a/s])
  end

  it 'takes the same word twice' do
    all = document('services' => { 'web' => { 'down' => true } })
    all.add(%w[services web], { 'down' => true }, 'X')
    expect(read(all)).to eq('services' => { 'web' => { 'down' => true } })
  end

  it 'refuses two words, and names who said them' do
    all = document
    all.add(%w[services web], { 'down' => true }, 'Runit::Service[web]')
    expect { all.add(%w[services web], { 'down' => false }, 'X') }
      .to raise_error(described_class::Conflict, 'services.web.down is declared by Runit::Service[web] and, differently, by X')
  end

  describe 'what is added to a tree of the host\'s' do
    def refused(all, title, *accounts)
      all.add(title.split('/').flat_map { |name| ['services', name] }, { 'command' => 'x' }, "Runit::Service[#{title}]")
      all.refuse_misplaced { |name| accounts.include?(name) }
    rescue described_class::Conflict => e
      e.message
    end

    it 'is not meant for the tree of a user' do
      said = %r{\ARunit::Service\[a/worker\]: there is no service a .*: make it a runit::user::service { 'a/worker': }, .* runit::service { 'a': }\z}
      expect([refused(document('users' => ['a']), 'a/worker'), refused(document, 'a/worker', 'a')]).to all(match(said))
    end

    it 'may be, where the tree is declared, or called as nobody' do
      declared = document
      declared.add(%w[services a], {}, 'Runit::Service[a]')
      all = [document('services' => { 'a' => nil }, 'users' => { 'a' => nil }), declared, document('users' => { 'b' => nil })]
      expect(all.map { |each| refused(each, 'a/b/worker', *('a' unless each.equal?(all.last))) }).to all(be_a(Hash))
      expect(refused(document('users' => { 'a' => nil }), 'a')).to be_a(Hash)
    end
  end

  it 'marks secrets, and neither merges nor splits them' do
    all = document('services' => { 'web' => { 'env' => { 'PASSWORD' => secret('hunter2') } } })
    expect(read(all).dig('services', 'web', 'env')).to eq('PASSWORD' => { '__ptype' => 'Sensitive', '__pvalue' => 'hunter2' })
    expect { all.add(%w[services web env], { 'PASSWORD' => secret('other') }, 'X') }.to raise_error(described_class::Conflict) { |error|
      expect(error.message).not_to match(/hunter2|other/)
    }
  end

  it 'asks for what is deferred when the text is wanted, and once' do
    asked = 0
    later = Puppet::Pops::Evaluator::DeferredValue.new(-> { (asked += 1) && secret("hunter#{asked}") })
    all = document('services' => { 'web' => { 'env' => { 'A' => later, 'B' => secret(later) } } })
    expect([all.services, all.accounts, asked]).to eq([{ 'web' => %w[services web] }, [], 0])
    expect(read(all).dig('services', 'web', 'env')).to eq(
      'A' => { '__ptype' => 'Sensitive', '__pvalue' => 'hunter1' }, 'B' => { '__ptype' => 'Sensitive', '__pvalue' => 'hunter2' }
    )
    expect([all.to_s.scan('hunter').size, asked]).to eq([2, 2])
  end

  it 'takes for secret what was deferred, whose mark Puppet 8 takes off' do
    fetched = { 'A' => 'hunter', 'B' => secret('hunter'), 'C' => nil }
    all = document('env' => Puppet::Pops::Evaluator::DeferredValue.new(-> { fetched }))
    marked = { '__ptype' => 'Sensitive', '__pvalue' => 'hunter' }
    expect(read(all)).to eq('env' => { 'A' => marked, 'B' => marked, 'C' => nil })
  end

  it 'knows what the instances of a service say that differ' do
    web = { 'requires' => 'db', 'instances' => { 'a' => nil, 'b' => { 'user' => 'www', 'requires' => ['cache'] } } }
    all = document('owner' => 'root', 'services' => { 'web' => web, 'cron' => { 'instances' => %w[x] }, 'db' => nil, 'cache' => nil })
    expect([all.accounts, all.before('web').sort, all.without(['www']).services.keys])
      .to eq([%w[root www], %w[cache db], %w[cron db cache]])
  end

  it 'knows the accounts that are spoken of' do
    all = document('owner' => 'root', 'users' => { 'a' => { 'account' => 'login', 'services' => { 's' => nil } }, 'b' => nil },
                   'services' => { 'web' => { 'user' => 'www', 'services' => { 'inner' => { 'user' => 'deep' } } } })
    expect(all.accounts).to contain_exactly('root', 'login', 'b', 'www', 'deep')
  end

  describe 'services' do
    let(:all) do
      document('services' => { 'cluster' => { 'services' => { 'node' => { 'requires' => ['seed'] }, 'seed' => nil } }, 'db' => nil },
               'users' => { 'a' => { 'services' => { 'web' => { 'requires' => ['db', '/db', 'b/db'] }, 'db' => nil } },
                            'b' => { 'services' => { 'db' => nil } } })
    end

    it 'are named as the tool names them' do
      expect(all.services).to eq(
        'cluster' => %w[services cluster], 'cluster/node' => %w[services cluster services node], 'cluster/seed' => %w[services cluster services seed],
        'db' => %w[services db], 'runsvdir-a' => %w[users a], 'runsvdir-b' => %w[users b],
        'a/web' => %w[users a services web], 'a/db' => %w[users a services db], 'b/db' => %w[users b services db]
      )
    end

    it 'wait for those that they require, and for the tree that they are in' do
      expect(all.before('cluster/node')).to contain_exactly('cluster', 'cluster/seed')
      expect(all.before('a/web')).to contain_exactly('runsvdir-a', 'a/db', 'db', 'b/db')
      expect(all.before('runsvdir-a')).to be_empty
      expect(all.before('nowhere')).to be_empty
    end
  end
end
